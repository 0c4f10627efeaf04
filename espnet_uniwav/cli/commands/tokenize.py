"""Encode recordings to codes.

Writes to OUT: codes_1 to codes_K, one line per utterance (name, then the code of every
frame), the format of ESPnet's recipes for discrete tokens, or NAME.npz with `codes`
(K, T); failed.tsv (files left out, with the reason); and times.tsv (seconds of
computing, of speech). If run again, it resumes an interrupted run, and encodes again
what has changed (recordings.tsv). Exit status 1: a file failed.

examples:
  uniwav tokenize wav.scp CODES --num_workers 2
  uniwav tokenize wav.scp CODES --num_codebooks 2
  uniwav tokenize wav.scp CODES --tokenizer TOKENIZER
"""

from __future__ import annotations

import argparse
from pathlib import Path

from espnet_uniwav.cli.command import make_parser, run_command
from espnet_uniwav.cli.options import (
    add_allow_failed,
    add_device,
    add_tokenizer,
    add_workers,
)

WORK = "espnet_uniwav.apps.tokenizer.recordings:tokenize"


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = make_parser("tokenize", __doc__)
    parser.add_argument("wav_scp", type=Path, help="table of names and audio files")
    parser.add_argument("output", type=Path, help="folder to write")
    add_tokenizer(parser)
    parser.add_argument(
        "--num_codebooks",
        type=int,
        help="the first codebooks alone, at a lower bit rate; of learned codes only",
    )
    parser.add_argument(
        "--format", choices=["text", "npz"], default="text", help="format of the codes"
    )
    add_workers(parser)
    add_allow_failed(parser)
    add_device(parser)
    return parser


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), WORK, cmd)


if __name__ == "__main__":
    main()
