"""Long texts: splitting into sentences, and joining their speech."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

import numpy as np

from espnet_uniwav.apps.phones.lexicon import tokenize

MAX_CHARACTERS = 200
FADE_SECONDS = 0.02
PAUSE_SECONDS = 0.15
TITLES = r"(?<!\b(?:Dr|Mr|Ms|St)\.)(?<!\bMrs\.)"
BORDER = re.compile(rf"{TITLES}(?<=[.!?])[\"')]*\s+|\n+")
END = re.compile(r"\s+[A-Z]|\s*$")


def ends_sentence(match: re.Match) -> bool:
    """Whether a point at the end of a match ends a sentence as well."""
    return END.match(match.string, match.end()) is not None


def split_sentences(text: str, max_characters: int = MAX_CHARACTERS) -> list[str]:
    """Split a text after sentences, and long sentences at commas or between words.

    Args:
        text: Any text.
        max_characters: Of a part; a single word may be longer.

    Returns:
        Parts without blanks around them; all of them hold a word.
    """
    sentences = re.split(BORDER, text.strip())
    parts = []
    for sentence in filter(None, (s.strip() for s in sentences)):
        parts += _pack(re.split(r"(?<=[,;:])\s+", sentence), max_characters)
    return [part for part in parts if tokenize(part)]


def _pack(phrases: list[str], max_characters: int) -> list[str]:
    """Join phrases while they fit; split longer ones between words."""
    parts: list[str] = []
    for phrase in phrases:
        words = phrase.split() if len(phrase) > max_characters else [phrase]
        for word in words:
            if parts and len(parts[-1]) + 1 + len(word) <= max_characters:
                parts[-1] += f" {word}"
            else:
                parts.append(word)
    return parts


def join(
    pieces: Iterable[np.ndarray], count: int, sample_rate: int
) -> Iterator[np.ndarray]:
    """Join sentences with a pause; their ends are faded to avoid clicks.

    Each chunk is yielded before the next piece is asked for.

    Args:
        pieces: (S,) samples each.
        count: How many there will be.
        sample_rate: Hz.
    """
    pause = np.zeros(round(PAUSE_SECONDS * sample_rate), dtype=np.float32)
    for number, piece in enumerate(pieces):
        if count == 1:
            yield piece
            return
        piece = piece.copy()
        size = min(round(FADE_SECONDS * sample_rate), len(piece) // 2)
        ramp = np.sin((np.arange(size) + 0.5) / max(size, 1) * math.pi / 2)
        if number < count - 1:
            piece[len(piece) - size :] *= ramp[::-1]
        if number:
            piece[:size] *= ramp
            piece = np.concatenate((pause, piece))
        yield piece
