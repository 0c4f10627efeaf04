"""Word and character errors of a transcript."""

from __future__ import annotations

from dataclasses import dataclass

import editdistance

from espnet_uniwav.lab.corpora.texts import normalise


@dataclass(frozen=True)
class Errors:
    """Counts of one utterance."""

    word_edits: int
    words: int
    char_edits: int
    chars: int


def count_errors(reference: str, hypothesis: str) -> Errors:
    """Edit distances between two texts after ``normalise``."""
    wanted, found = normalise(reference), normalise(hypothesis)
    wanted_chars, found_chars = " ".join(wanted), " ".join(found)
    return Errors(
        word_edits=int(editdistance.eval(wanted, found)),
        words=len(wanted),
        char_edits=int(editdistance.eval(wanted_chars, found_chars)),
        chars=len(wanted_chars),
    )
