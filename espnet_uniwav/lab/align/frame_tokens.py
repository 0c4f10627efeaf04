"""From aligned words to one token per frame."""

from __future__ import annotations

import numpy as np

from espnet_uniwav.apps.phones.ctm import Segment


def frame_tokens(
    words: list[Segment],
    num_frames: int,
    frame_rate: float,
    index: dict[str, int],
    blank: int = 0,
    space: str = "<space>",
) -> np.ndarray:
    """Spread the characters of every word evenly over its time.

    This is crude, but enough for a network to learn how characters sound, before CTC
    finds the exact positions.

    Args:
        words: Segments of one utterance, sorted by time.
        num_frames: Frames T.
        frame_rate: Frames per second (Hz).
        index: Token -> number.
        blank: Number for frames without a word.
        space: Token for the last empty frame before each word except the first.

    Returns:
        (T,) numbers of tokens.

    Raises:
        ValueError: If a character is not in the index.
    """
    tokens = np.full(num_frames, blank)
    for number, word in enumerate(words):
        if unknown := sorted(set(word.label) - set(index)):
            raise ValueError(
                f"character {unknown[0]!r} of {word.label!r} is not in the token list"
            )
        borders = np.linspace(word.start, word.end, len(word.label) + 1) * frame_rate
        borders = borders.round().astype(int)
        if number and 0 < borders[0] <= num_frames:
            tokens[borders[0] - 1] = index[space]
        for character, start, end in zip(word.label, borders[:-1], borders[1:]):
            tokens[start : max(end, start + 1)] = index[character]
    return tokens
