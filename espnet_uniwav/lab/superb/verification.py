"""Lays utterances out for S3PRL's `sv_voxceleb1` expert: speaker verification (ASV).

The splits of the corpus stay: no speaker of the trials is in training.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import soundfile
import torch

from espnet_uniwav.integrations.s3prl.sox_effects import apply_effects_tensor
from espnet_uniwav.io.kaldi import hash_share
from espnet_uniwav.io.output import atomic_write
from espnet_uniwav.lab.superb.folders import link, write_lines, write_utterances
from espnet_uniwav.lab.superb.utterances import (
    SuperbUtterance,
    by_speaker,
    safe_name,
)

TRIAL_UTTERANCES = 10
MIN_SOUND = 8000
EFFECTS = (
    ["channels", "1"],
    ["rate", "16000"],
    ["gain", "-3.0"],
    ["silence", "1", "0.1", "0.1%", "-1", "0.1", "0.1%"],
)
LENGTHS = Path(".wav_lengths/Voxceleb1_length.pt")


def write_asv(utterances: list[SuperbUtterance], out: Path) -> list[str]:
    """Writes a VoxCeleb1 tree, trials of dev and of test, and the cache of lengths.

    Utterances with less than half a second of sound are left out.

    Args:
        utterances: of all splits, with or without text.
        out: the task's folder.

    Returns:
        What was done, in lines for the user.

    Raises:
        ValueError: a split has not enough speakers.
    """
    sound = {item.utt: count_sound(item) for item in utterances}
    items = [item for item in utterances if sound[item.utt] >= MIN_SOUND]
    paths = {item.utt: _link(item, out) for item in items}
    train = [item for item in items if item.split == "train"]
    speakers = _count_speakers(train)
    if speakers < 2:
        raise ValueError(
            f"task asv: train has {speakers} speakers, expected two or more: give a "
            "corpus with several, or leave asv out of --tasks"
        )
    _write_lengths([(paths[item.utt], sound[item.utt]) for item in train], out)
    silent = len(utterances) - len(items)
    report = [
        f"asv   train {len(train)} utterances of {speakers} speakers; "
        f"{silent} silent ones left out of all splits"
    ]
    for split in ("dev", "test"):
        trials = make_trials([item for item in items if item.split == split], split)
        lines = [f"{y} {paths[a.utt]} {paths[b.utt]}" for y, a, b in trials]
        write_lines(out / f"{split}_trials.txt", lines)
        speakers = _count_speakers(side for _, *pair in trials for side in pair)
        report.append(f"asv   {split} {len(trials)} trials of {speakers} speakers")
    named = [replace(u, name=f"{safe_name(u.speaker)}-0-{u.name}") for u in items]
    write_utterances(named, out)
    return report


def count_sound(item: SuperbUtterance) -> int:
    """Samples that remain after S3PRL's data set has cut the silence."""
    samples, rate = soundfile.read(item.path, dtype="float32", always_2d=True)
    speech = torch.from_numpy(samples.T)
    return apply_effects_tensor(speech, rate, list(EFFECTS))[0].shape[1]


def make_trials(items: list[SuperbUtterance], split: str) -> list[tuple]:
    """Pairs of one speaker, and for each a pair of two speakers.

    All pairs among (at most ten) utterances of a speaker are taken. The partner from
    another speaker comes from the same groups, so that an accent or a corpus alone
    does not tell two speakers apart; it is the first in the order of a hash.

    Returns:
        (1 or 0, one utterance, the other), as many of 1 as of 0.
    """
    chosen = {speaker: _choose(own) for speaker, own in by_speaker(items).items()}
    trials, used = [], set()
    for speaker, own in chosen.items():
        others = [
            other
            for name, theirs in chosen.items()
            for other in theirs
            if name != speaker and other.groups == own[0].groups
        ]
        for one, two in combinations(own, 2):
            free = {
                f"{one.utt} {two.utt} {u.utt}": u
                for u in others
                if frozenset((one.utt, u.utt)) not in used
            }
            if free:
                other = free[min(free, key=hash_share)]
                used.add(frozenset((one.utt, other.utt)))
                trials += [(1, one, two), (0, one, other)]
    if not trials:
        raise ValueError(
            f"task asv: {split} has {len(chosen)} speakers and no two utterances of "
            "one speaker beside another speaker of the same group: expected two "
            "speakers with two utterances each, or leave asv out of --tasks"
        )
    return trials


def _choose(items: list[SuperbUtterance]) -> list[SuperbUtterance]:
    """At most ten of a speaker's utterances."""
    first = sorted((item.utt for item in items), key=hash_share)[:TRIAL_UTTERANCES]
    return [item for item in items if item.utt in first]


def _link(item: SuperbUtterance, out: Path) -> Path:
    part = "dev" if item.split == "train" else "test"
    folder = out / "VoxCeleb1" / part / "wav" / safe_name(item.speaker) / "0"
    return Path(link(item, folder))


def _write_lengths(lengths: list[tuple[Path, int]], out: Path) -> None:
    """Writes the lengths, which S3PRL would compute and save next to its code."""
    (out / LENGTHS).parent.mkdir()
    tags = [path.parts[-3:] for path, _ in lengths]
    with atomic_write(out / LENGTHS, "wb") as file:
        torch.save([tags, [length for _, length in lengths]], file)


def _count_speakers(items) -> int:
    return len({item.speaker for item in items})
