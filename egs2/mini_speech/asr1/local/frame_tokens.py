"""Writes one token per frame of each training utterance, for ``model: uniwav``.

    python local/frame_tokens.py DATA ALIGNMENT TOKEN_LIST OUT --frame_rate 50

ALIGNMENT is a folder of `uniwav align`. All frames of an utterance without alignment
are -1, which the warm-up skips.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from espnet_uniwav.apps.phones.ctm import read_ctm
from espnet_uniwav.cli.command import run_script
from espnet_uniwav.io.input import read_lines
from espnet_uniwav.io.kaldi import read_table
from espnet_uniwav.io.output import write_text
from espnet_uniwav.lab.align.frame_tokens import frame_tokens

SAMPLE_RATE = 16000


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


if __name__ == "__main__":
    main()
