"""Writes one token per frame of each training utterance, for ``model: uniwav``.

    python local/frame_tokens.py DATA ALIGNMENT TOKEN_LIST OUT --frame_rate 50

ALIGNMENT is a folder of `uniwav align`. All frames of an utterance without alignment
are -1, which the warm-up skips.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from espnet_uniwav.apps.phones.ctm import read_ctm
from espnet_uniwav.io.input import read_lines
from espnet_uniwav.io.kaldi import read_table
from espnet_uniwav.io.output import write_text
from espnet_uniwav.lab.align.frame_tokens import frame_tokens

SAMPLE_RATE = 16000


def main() -> None:
    """Run the command; errors are one line and exit status 1."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("alignment", type=Path)
    parser.add_argument("token_list", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--frame_rate", type=float, default=50, help="Hz")
    args = parser.parse_args()
    tokens = read_lines(args.token_list)
    index = {token: number for number, token in enumerate(tokens)}
    words = read_ctm(args.alignment / "words.ctm")
    lines = []
    for utt, samples in read_table(args.data / "speech_shape").items():
        count = int(np.ceil(int(samples) * args.frame_rate / SAMPLE_RATE))
        try:
            numbers = frame_tokens(words[utt], count, args.frame_rate, index)
        except KeyError:
            numbers = np.full(count, -1)
        except ValueError as error:
            sys.exit(f"frame_tokens.py: {args.alignment}: {utt}: {error}")
        lines.append(f"{utt} {' '.join(map(str, numbers))}\n")
    write_text(args.out, "".join(lines))


if __name__ == "__main__":
    try:
        main()
    except FileNotFoundError as error:
        sys.exit(f"frame_tokens.py: {error}")
