"""Fill gaps of a recording with generated speech.

Frames outside the gaps are kept. If the audio inside a gap is damaged, make the gap
0.03 s wider on either side, because the window of a frame is that wide.

examples:
  uniwav infill in.wav out.wav --start 1.2 --end 1.5
  uniwav infill in.wav out.wav --checkpoint CHECKPOINT --start 1.2 --end 1.5 \\
      --start 3 --end 3.4 --seed 1
"""

from __future__ import annotations

import argparse
from pathlib import Path

from espnet_uniwav.cli.command import make_parser, run_command
from espnet_uniwav.cli.options import (
    PRETRAINED,
    SPEECH,
    add_checkpoint,
    add_device,
    add_sampling,
    add_seed,
    add_vocoder,
)
from espnet_uniwav.io.units import seconds

WORK = "espnet_uniwav.apps.infill.recording:infill"


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = make_parser("infill", __doc__)
    parser.add_argument("input", type=Path, help="any file that libsndfile reads")
    parser.add_argument("output", type=Path, help=f"file to write: {SPEECH}")
    add_checkpoint(parser, default=PRETRAINED)
    for name in ("start", "end"):
        parser.add_argument(
            f"--{name}",
            type=seconds,
            action="append",
            required=True,
            metavar="SECONDS",
            help=f"{name} of a gap; repeat the pair for more gaps",
        )
    parser.add_argument(
        "--context",
        type=seconds,
        default=10.0,
        help="seconds that the model sees on either side of a gap",
    )
    parser.add_argument(
        "--splice",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="keep the original samples outside the gaps; otherwise all of the output "
        "is vocoded",
    )
    add_sampling(parser)
    add_seed(parser)
    add_vocoder(parser)
    add_device(parser)
    return parser


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), WORK, cmd)


if __name__ == "__main__":
    main()
