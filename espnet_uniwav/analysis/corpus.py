"""A data folder with the phones of its utterances, and what it cannot answer."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from espnet_uniwav.alignment.ctm import Segment, read_ctm
from espnet_uniwav.analysis.labels import MIN_UTTERANCES
from espnet_uniwav.analysis.utterances import Utterance, read_data_folder

PHONES_FILE = "phones.ctm"


@dataclass(frozen=True)
class Corpus:
    """Utterances and what is said in them.

    Attributes:
        folder: Kaldi data folder.
        utterances: In the order of their speakers and names.
        alignments: Phones of each utterance; empty if nothing is aligned.
    """

    folder: Path
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
) -> Corpus:
    """Read a data folder, as far as it is aligned where alignments are given.

    Args:
        folder: Kaldi data folder.
        alignments: From ``read_alignments``; empty reads all utterances.
        count: Keep about this many, evenly spread; None keeps all.

    Raises:
        FileNotFoundError, ValueError: If there is no utterance, or none is aligned.
    """
    folder = Path(folder)
    found = read_data_folder(folder / "wav.scp")
    chosen = [u for u in found if not alignments or u.name in alignments]
    if not chosen:
        raise ValueError(
            f"{folder}: none of {len(found)} utterances is in the alignments, which "
            f"hold {len(alignments)} others; align this folder with `uniwav align`"
        )
    chosen = spread(chosen, count)
    names = {u.name for u in chosen}
    own = {name: value for name, value in alignments.items() if name in names}
    return Corpus(folder, chosen, own)


def spread(utterances: list[Utterance], count: int | None) -> list[Utterance]:
    """About ``count`` utterances, evenly spread over the speakers; None keeps all.

    Whole groups of a speaker's utterances are kept, large enough to measure speakers.
    """
    ordered = sorted(utterances, key=lambda u: (u.speaker, u.name))
    if count is None or count >= len(ordered):
        return ordered
    groups = []
    for _, own in itertools.groupby(ordered, key=lambda u: u.speaker):
        own = list(own)
        bounds = range(0, len(own), MIN_UTTERANCES)
        groups += [own[start : start + MIN_UTTERANCES] for start in bounds]
    number = max(round(count * len(groups) / len(ordered)), 1)
    chosen = (groups[i * len(groups) // number] for i in range(number))
    return list(itertools.chain.from_iterable(chosen))


def missing_parts(held_out: Corpus, fit: Corpus | None = None) -> list[str]:
    """What cannot be measured or is to be read with care, and how to mend it."""
    notes = []
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


def _speakers(corpus: Corpus) -> set[str]:
    return {u.speaker for u in corpus.utterances if u.speaker}
