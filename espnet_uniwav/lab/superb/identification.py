"""Lays utterances out for S3PRL's `voxceleb1` expert: speaker identification (SID).

The utterances of every speaker with enough of them are divided by hash.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from espnet_uniwav.io.kaldi import hash_share
from espnet_uniwav.lab.superb.folders import link, write_lines, write_utterances
from espnet_uniwav.lab.superb.utterances import (
    SuperbUtterance,
    by_speaker,
)

FIRST_SPEAKER = 10001
SPLIT_NUMBERS = {"train": 1, "dev": 2, "test": 3}
SHARE = 0.2
MIN_RECORDINGS = 4
MAX_SPEAKERS = 1251  # outputs of S3PRL's head


def write_sid(utterances: list[SuperbUtterance], out: Path) -> list[str]:
    """Writes a VoxCeleb1 tree and the list of its splits.

    The splits of the corpus become the groups `train_speakers`, on whom a model
    pre-trained on train was trained, and `other_speakers`.

    Args:
        utterances: of all splits, with or without text.
        out: the task's folder.

    Returns:
        What was done, in lines for the user.

    Raises:
        ValueError: fewer than two speakers have enough recordings.
    """
    enough, counts = [], []
    for items in by_speaker(utterances).values():
        counts.append(len({item.recording for item in items}))
        if counts[-1] >= MIN_RECORDINGS:
            enough.append(items)
    if len(enough) < 2:
        raise ValueError(
            f"task sid: {len(enough)} of {len(counts)} speakers have at least "
            f"{MIN_RECORDINGS} recordings (the most is {max(counts, default=0)}), "
            "expected two speakers or more: give a corpus with several recordings of "
            "each speaker, or leave sid out of --tasks"
        )
    chosen = []
    for number, items in enumerate(enough[:MAX_SPEAKERS], FIRST_SPEAKER):
        speaker = f"id{number}"
        folder = out / "VoxCeleb1/dev/wav" / speaker / "0"
        for item in divide(items):
            path = Path(link(item, folder))
            chosen.append((item, f"{speaker}/0/{path.name}"))
    lines = [f"{SPLIT_NUMBERS[item.split]} {path}" for item, path in chosen]
    write_lines(out / "split.txt", lines)
    named = [replace(u, name=f"{p.split('/')[0]}-0-{u.name}") for u, p in chosen]
    write_utterances(named, out)
    have = Counter(item.split for item in named)
    return [
        f"sid   {len({u.speaker for u in named})} speakers; "
        + ", ".join(f"{split} {have[split]} utterances" for split in SPLIT_NUMBERS)
        + f"; {len(counts) - len(enough)} speakers with fewer than "
        f"{MIN_RECORDINGS} recordings left out"
    ]


def divide(items: list[SuperbUtterance]) -> list[SuperbUtterance]:
    """Gives a speaker's recordings to test, dev and train in the order of a hash.

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
            groups=(
                *item.groups,
                "train_speakers" if item.split == "train" else "other_speakers",
            ),
        )
        for item in items
    ]
