"""Writes one token per frame of each training utterance, for ``model: uniwav``.

    python local/frame_tokens.py DATA ALIGNMENT TOKEN_LIST OUT --frame_rate 50

ALIGNMENT is a folder of `uniwav align`. All frames of an utterance without alignment
are -1, which the warm-up skips.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from espnet_uniwav.apps.phones.ctm import Segment, read_ctm
from espnet_uniwav.cli.command import run_script
from espnet_uniwav.io.audio import SAMPLE_RATE
from espnet_uniwav.io.input import read_lines
from espnet_uniwav.io.kaldi import read_table
from espnet_uniwav.io.output import write_text


def write_tokens(
    data: Path, alignment: Path, token_list: Path, out: Path, frame_rate: float = 50
) -> None:
    """Write the file.

    Args:
        data: Data folder.
        alignment: Output folder of ``uniwav align``.
        token_list: File of all tokens.
        out: File to write.
        frame_rate: Frames per second (Hz).
    """
    tokens = read_lines(token_list)
    index = {token: number for number, token in enumerate(tokens)}
    words = read_ctm(alignment / "words.ctm")
    lines = []
    for utt, samples in read_table(data / "speech_shape").items():
        count = int(np.ceil(int(samples) * frame_rate / SAMPLE_RATE))
        try:
            numbers = frame_tokens(words[utt], count, frame_rate, index)
        except KeyError:
            numbers = np.full(count, -1)
        except ValueError as error:
            raise ValueError(f"{alignment}: {utt}: {error}") from error
        lines.append(f"{utt} {' '.join(map(str, numbers))}\n")
    write_text(out, "".join(lines))


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(write_tokens, "data alignment token_list out", argv)


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


if __name__ == "__main__":
    main()
