"""Lays utterances out for S3PRL's experts of speakers, as trees of VoxCeleb1.

`voxceleb1`, identification (SID): the utterances of every speaker with enough of them
are divided by hash. `sv_voxceleb1`, verification (ASV): the splits of the corpus stay,
so no speaker of the trials is in training.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import torch

from espnet_uniwav.integrations.s3prl.sox_effects import apply_effects_file
from espnet_uniwav.io.kaldi import hash_share
from espnet_uniwav.io.output import atomic_write
from espnet_uniwav.lab.corpora.transcripts import SPLITS
from espnet_uniwav.lab.superb.utterances import (
    SuperbUtterance,
    by_speaker,
    describe,
    link,
    safe_name,
    write_lines,
    write_utterances,
)

FIRST_SPEAKER = 10001
SHARE = 0.2
MIN_RECORDINGS = 4
MAX_SPEAKERS = 1251  # outputs of S3PRL's head

TRIAL_UTTERANCES = 10
MIN_SOUND = 8000
EFFECTS = [
    ["channels", "1"],
    ["rate", "16000"],
    ["gain", "-3.0"],
    ["silence", "1", "0.1", "0.1%", "-1", "0.1", "0.1%"],
]
LENGTHS = ".wav_lengths/Voxceleb1_length.pt"


def write_sid(utterances: list[SuperbUtterance], out: Path) -> str:
    """Write a VoxCeleb1 tree and the list of its splits.

    The splits of the corpus become the groups `train_speakers`, on whom a model
    pre-trained on train was trained, and `other_speakers`.

    Args:
        utterances: Of all splits, with or without text.
        out: The task's folder.

    Returns:
        What was done, for the user.

    Raises:
        ValueError: If fewer than two speakers have enough recordings.
    """
    speakers = list(by_speaker(utterances).values())
    counts = [len({item.recording for item in items}) for items in speakers]
    enough = [own for own, count in zip(speakers, counts) if count >= MIN_RECORDINGS]
    if len(enough) < 2:
        raise ValueError(
            f"task sid: {len(enough)} of {len(counts)} speakers have at least "
            f"{MIN_RECORDINGS} recordings (the most is {max(counts, default=0)}), "
            "expected two speakers or more: give a corpus with several recordings of "
            "each speaker, or leave sid out of --tasks"
        )
    lines, named = [], []
    for number, items in enumerate(enough[:MAX_SPEAKERS], FIRST_SPEAKER):
        speaker = f"id{number}"
        for item in divide(items):
            path = link(item, out / "VoxCeleb1/dev/wav" / speaker / "0")
            split = 1 + SPLITS.index(item.split)
            lines.append(f"{split} {speaker}/0/{path.name}")
            named.append(replace(item, name=f"{speaker}-0-{item.name}"))
    write_lines(out / "split.txt", lines)
    write_utterances(named, out)
    return (
        f"{describe(named)}; {len(counts) - len(enough)} speakers with fewer than "
        f"{MIN_RECORDINGS} recordings left out"
    )


def divide(items: list[SuperbUtterance]) -> list[SuperbUtterance]:
    """Give a speaker's recordings to test, dev and train in the order of a hash.

    Pieces of one recording stay together; dev and test get a fifth of the
    recordings each, at least one.
    """
    order = sorted({item.recording for item in items}, key=hash_share)
    count = max(1, round(SHARE * len(order)))
    split_of = dict.fromkeys(order, "train")
    split_of.update(dict.fromkeys(order[:count], "test"))
    split_of.update(dict.fromkeys(order[count : 2 * count], "dev"))
    return [
        replace(
            item,
            split=split_of[item.recording],
            group="train_speakers" if item.split == "train" else "other_speakers",
        )
        for item in items
    ]


def write_asv(utterances: list[SuperbUtterance], out: Path) -> str:
    """Write a VoxCeleb1 tree, trials of dev and of test, and the lengths of train.

    Utterances with less than half a second of sound are left out. The lengths are what
    S3PRL would compute, and save next to its code.

    Args:
        utterances: Of all splits, with or without text.
        out: The task's folder.

    Returns:
        What was done, for the user.

    Raises:
        ValueError: If a split has not enough speakers.
    """
    sound = {item.utt: count_sound(item) for item in utterances}
    items = [item for item in utterances if sound[item.utt] >= MIN_SOUND]
    train = [item for item in items if item.split == "train"]
    if len(speakers := {item.speaker for item in train}) < 2:
        raise ValueError(
            f"task asv: train has {len(speakers)} speakers, expected two or more: give "
            "a corpus with several, or leave asv out of --tasks"
        )
    paths = {item.utt: _link(item, out) for item in items}
    (out / LENGTHS).parent.mkdir()
    with atomic_write(out / LENGTHS, "wb") as file:
        tags = [paths[item.utt].parts[-3:] for item in train]
        torch.save([tags, [sound[item.utt] for item in train]], file)
    numbers = []
    for split in ("dev", "test"):
        trials = make_trials([item for item in items if item.split == split], split)
        lines = (f"{y} {paths[a.utt]} {paths[b.utt]}" for y, a, b in trials)
        write_lines(out / f"{split}_trials.txt", lines)
        numbers.append(f"{len(trials)} trials of {split}")
    named = [replace(u, name=f"{safe_name(u.speaker)}-0-{u.name}") for u in items]
    write_utterances(named, out)
    silent = len(utterances) - len(items)
    return f"{describe(items)}; {', '.join(numbers)}; {silent} silent ones left out"


def count_sound(item: SuperbUtterance) -> int:
    """Samples that remain after S3PRL's data set has cut the silence."""
    return apply_effects_file(item.path, EFFECTS)[0].shape[1]


def make_trials(items: list[SuperbUtterance], split: str) -> list[tuple]:
    """Pairs of one speaker, and for each a pair of two speakers.

    All pairs among (at most ten) utterances of a speaker are taken. The partner from
    another speaker is the first in the order of a hash.

    Returns:
        (1 or 0, one utterance, the other), as many of 1 as of 0.
    """
    chosen = {speaker: _choose(own) for speaker, own in by_speaker(items).items()}
    trials, used = [], set()
    for speaker, own in chosen.items():
        others = [
            u for name, theirs in chosen.items() if name != speaker for u in theirs
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
            "one speaker beside another speaker: expected two speakers with two "
            "utterances each, or leave asv out of --tasks"
        )
    return trials


def _choose(items: list[SuperbUtterance]) -> list[SuperbUtterance]:
    """At most ten of a speaker's utterances."""
    first = sorted((item.utt for item in items), key=hash_share)[:TRIAL_UTTERANCES]
    return [item for item in items if item.utt in first]


def _link(item: SuperbUtterance, out: Path) -> Path:
    part = "dev" if item.split == "train" else "test"
    return link(item, out / "VoxCeleb1" / part / "wav" / safe_name(item.speaker) / "0")
