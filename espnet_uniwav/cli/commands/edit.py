"""Replace words in a recording, in the same voice.

The recording must be English. All samples outside the replaced words are kept, except
for a fade of 15 ms.

examples:
  uniwav edit in.wav out.wav --model EXP/valid.loss.best.pth \\
      --text "I like cats." --replace cats --by dogs
"""

from __future__ import annotations

import argparse
from pathlib import Path

from espnet_uniwav.cli.command import make_parser, run_command
from espnet_uniwav.cli.options import (
    SPEAKING,
    SPEECH,
    VOICE,
    add_device,
    add_model,
    add_sampling,
    add_seed,
    add_speed,
    add_vocoder,
)

WORK = "espnet_uniwav.apps.tts.edit:edit"


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = make_parser("edit", __doc__)
    parser.add_argument("input", type=Path, help="any file that libsndfile reads")
    parser.add_argument("output", type=Path, help=f"file to write: {SPEECH}")
    add_model(parser, default=VOICE)
    parser.add_argument("--text", required=True, help="transcript of the recording")
    parser.add_argument(
        "--replace", required=True, help="words to replace; they must occur once"
    )
    parser.add_argument("--by", required=True, help="new words")
    add_speed(parser)
    add_sampling(parser, SPEAKING, of_model=True)
    add_seed(parser)
    add_vocoder(parser)
    add_device(parser)
    return parser


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), WORK, cmd)


if __name__ == "__main__":
    main()
