"""A data folder with phone alignments, and checks of what can be measured on it."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from espnet_uniwav.apps.phones.ctm import Segment, read_ctm
from espnet_uniwav.io.kaldi import (
    MIN_UTTERANCES,
    Utterance,
    read_data_folder,
    thin_by_speaker,
)

PHONES_FILE = "phones.ctm"


@dataclass(frozen=True)
class Corpus:
    """Utterances and their phones.

    Attributes:
        utterances: In the order of their speakers and names.
        alignments: Phones of each utterance; empty if nothing is aligned.
    """

    utterances: list[Utterance]
    alignments: dict[str, list[Segment]]


def read_alignments(folders: Iterable[str | Path]) -> dict[str, list[Segment]]:
    """Read the phones of one or more alignment folders.

    Raises:
        FileNotFoundError, ValueError: Naming the file.
    """
    alignments: dict[str, list[Segment]] = {}
    for folder in folders:
        alignments.update(read_ctm(Path(folder) / PHONES_FILE))
    return alignments


def read_corpus(
    folder: str | Path,
    alignments: dict[str, list[Segment]],
    count: int | None = None,
    aligned_only: bool = False,
) -> Corpus:
    """Read a data folder.

    Args:
        folder: Kaldi data folder.
        alignments: From ``read_alignments``; may be empty.
        count: Keep about this many, evenly spread; None keeps all.
        aligned_only: Leave out what is not aligned.

    Raises:
        FileNotFoundError, ValueError: If there is no data, or no utterance of it in
            the alignments.
    """
    folder = Path(folder)
    found = read_data_folder(folder / "wav.scp")
    aligned = [u for u in found if u.name in alignments]
    if alignments and not aligned:
        raise ValueError(
            f"{folder}: none of {len(found)} utterances is in the alignments, which "
            f"hold {len(alignments)} others; align this folder with `uniwav align`"
        )
    chosen = thin_by_speaker(aligned if aligned_only else found, count)
    names = {u.name for u in chosen}
    own = {name: value for name, value in alignments.items() if name in names}
    return Corpus(chosen, own)


def missing_parts(
    held_out: Corpus, fit: Corpus | None = None, abx: bool = False
) -> list[str]:
    """What cannot be measured or is to be read with care, and how to fix it."""
    notes = []
    if abx and not has_fastabx():
        notes.append(
            "Phone ABX is not measured: the package fastabx is missing. It needs "
            "Python 3.12 and torch 2.10, or newer: pip install fastabx"
        )
    if not held_out.alignments:
        notes.append(
            "Phones are not measured: no alignment was given. Make one with `uniwav "
            "align` and pass it with --alignment."
        )
    elif fit is None:
        notes.append(
            "The phone probe is not measured: it needs other utterances to be fitted "
            "on. Pass --fit_data and their --alignment."
        )
    elif shared := _speakers(held_out) & _speakers(fit):
        notes.append(
            f"{len(shared)} of {len(_speakers(held_out))} held-out speakers are also "
            "among those that the phone probe was fitted on: it is better than it "
            "would be for new speakers."
        )
    counts = Counter(u.speaker for u in held_out.utterances if u.speaker)
    enough = sum(count >= MIN_UTTERANCES for count in counts.values())
    if enough < 2:
        notes.append(
            f"Speakers are not measured: {enough} of {len(counts)} speakers have "
            f"{MIN_UTTERANCES} utterances or more, and at least 2 must. Use a data "
            "folder with an utt2spk and several utterances of each speaker."
        )
    return notes


def has_fastabx() -> bool:
    """Whether the package that measures phone ABX is installed."""
    return importlib.util.find_spec("fastabx") is not None


def _speakers(corpus: Corpus) -> set[str]:
    return {u.speaker for u in corpus.utterances if u.speaker}
