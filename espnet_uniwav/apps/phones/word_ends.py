"""Phones that end a word have a mark: ``Z_E`` is a Z at the end of a word.

Kaldi marks the place of phones in words so. Here the ends suffice: what follows an end
begins a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from espnet_uniwav.apps.phones.ctm import SILENCE, Segment

MARK = "_E"


def unmarked(label: str) -> str:
    """The phone alone."""
    return label.removesuffix(MARK)


def mark_last(phones: Sequence[str]) -> list[str]:
    """Mark the last phone of a word."""
    return [*phones[:-1], *(phone + MARK for phone in phones[-1:])]


def mark_word_ends(
    phones: Sequence[Segment], words: Sequence[Segment]
) -> list[Segment]:
    """Mark the phones of an alignment that end with a word.

    Args:
        phones: Of an utterance, in order of time.
        words: Of the same utterance; may be none.

    Returns:
        The phones; silences have no mark.
    """
    ends = {round(word.end, 3) for word in words}
    return [
        replace(phone, label=phone.label + MARK)
        if phone.label != SILENCE and round(phone.end, 3) in ends
        else phone
        for phone in phones
    ]


def is_marked(label: str) -> bool:
    """Whether a label ends a word."""
    return label.endswith(MARK)


def phone_numbers(token_list: Sequence[str]) -> list[int]:
    """Number the phones of tokens: those that differ in the mark alone have one number.

    Returns:
        Numbers from 0, in the order of the list.
    """
    numbers: dict[str, int] = {}
    return [numbers.setdefault(unmarked(token), len(numbers)) for token in token_list]
