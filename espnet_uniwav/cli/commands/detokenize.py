"""Decode codes to speech.

CODES is a folder written by `uniwav tokenize`, or a wav.scp, whose recordings are
encoded and decoded in one pass (as a control also without codebooks). Writes to OUT:
NAME.wav, failed.tsv (utterances that failed, with the reason; exit status 1) and
times.tsv (seconds of computing, of speech). With a prompt of another speaker the speech
is in that voice, as far as the codes hold no speaker information.

examples:
  uniwav detokenize CODES OUT
  uniwav detokenize CODES OUT --prompt voice.wav
  uniwav detokenize CODES OUT --tokenizer TOKENIZER
"""

from __future__ import annotations

import argparse
from pathlib import Path

from espnet_uniwav.cli.command import make_parser, run_command
from espnet_uniwav.cli.options import (
    SPEAKING,
    add_allow_failed,
    add_device,
    add_prompt,
    add_sampling,
    add_seed,
    add_tokenizer,
    add_vocoder,
    add_workers,
)

WORK = "espnet_uniwav.apps.tokenizer.recordings:detokenize"


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = make_parser("detokenize", __doc__)
    parser.add_argument("codes", type=Path, help="folder of codes, or wav.scp")
    parser.add_argument("output", type=Path, help="folder to write")
    add_tokenizer(parser)
    voice = parser.add_mutually_exclusive_group()
    add_prompt(voice)
    voice.add_argument(
        "--prompts", type=Path, help="table: name, recording of the voice"
    )
    add_sampling(parser, SPEAKING)
    add_seed(parser)
    add_vocoder(parser)
    add_workers(parser)
    add_allow_failed(parser)
    add_device(parser)
    return parser


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), WORK, cmd)


if __name__ == "__main__":
    main()
