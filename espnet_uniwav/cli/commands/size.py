"""Count parameters and multiply-adds of a configuration.

The model is not allocated.

examples:
  uniwav size conf/train_base.yaml
"""

from __future__ import annotations

import argparse

from espnet_uniwav.cli.command import make_parser, run_command
from espnet_uniwav.io.units import seconds

WORK = "espnet_uniwav.integrations.espnet.size:size"


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = make_parser("size", __doc__)
    parser.add_argument("config", help="conf/*.yaml of the SSL task")
    parser.add_argument(
        "--seconds",
        type=seconds,
        default=10.0,
        help="length of the utterance; attention grows with it",
    )
    return parser


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), WORK, cmd)


if __name__ == "__main__":
    main()
