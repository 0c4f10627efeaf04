"""Alignments from other tools: conversion of their tiers and labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from espnet_uniwav.apps.phones.alignment import Alignment
from espnet_uniwav.apps.phones.ctm import SILENCE, Segment, check_segments, fill_gaps
from espnet_uniwav.apps.phones.lexicon import ARPABET, NO_TEXT, strip_stress

SILENT = {"", "sil", "sp", "<eps>"}
UNKNOWN = "SPN"
# Seconds by which an alignment may be shorter or longer than its audio.
TOLERANCE = 0.05


def make_alignment(
    place: str,
    utt: str,
    words: Sequence[Segment],
    phones: Sequence[Segment],
    seconds: float,
    text: str = "",
) -> Alignment:
    """Convert two tiers to our labels: silence is SIL in phones, and a gap in words.

    Args:
        place: Start of the messages, such as the name of a file.
        utt: Name of the utterance.
        words, phones: In order of time, silences included or not.
        seconds: Duration of the audio, which phones fill from 0 on.
        text: Of the utterance; words are written as in it.

    Raises:
        ValueError: If segments are unsorted, overlap, or hold blanks.
    """
    phones = [Segment(s.start, s.end, phone_label(s.label)) for s in phones]
    words = [s for s in words if s.label.lower() not in SILENT]
    labels = spell_as([word.label for word in words], text.split())
    words = [
        Segment(word.start, min(word.end, seconds), label)
        for word, label in zip(words, labels)
    ]
    return Alignment(
        check_segments(place, utt, fill_gaps(phones, seconds)),
        check_segments(place, utt, words),
    )


def spell_as(words: list[str], text: list[str]) -> list[str]:
    """Take letter case and unknown words from a text of the same words."""
    same = len(words) == len(text) and all(
        word.lower() in (NO_TEXT, own.lower()) for word, own in zip(words, text)
    )
    return text if same else words


def check_seconds(place: str, found: float, seconds: float) -> None:
    """Compare the end of an alignment with that of the audio.

    Raises:
        ValueError: If they differ, so the alignment is that of another file.
    """
    if abs(found - seconds) > TOLERANCE:
        raise ValueError(
            f"{place}: expected {seconds:.3f} s as the audio, found {found:.3f} s; is "
            "it the alignment of another file?"
        )


def phone_label(label: str) -> str:
    """Convert a label of MFA to ours.

    ARPAbet loses its stress; silence becomes SIL. MFA's spn, a word that is not in its
    dictionary, becomes SPN, because it is speech. IPA is unchanged.
    """
    if label.lower() in SILENT:
        return SILENCE
    return UNKNOWN if label.upper() == UNKNOWN else strip_stress(label)


def are_arpabet(labels: Iterable[str]) -> bool:
    """Whether all labels are ARPAbet, in either case, or those of silence and noise."""
    names = {phone_label(label.upper()) for label in labels}
    return names <= ARPABET | {SILENCE, UNKNOWN}
