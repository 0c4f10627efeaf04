"""Print a configuration with its includes resolved.

Stock ESPnet needs this resolved form.

examples:
  uniwav config conf/tuning/train_tiny_dinosr.yaml > exp/conf.yaml
"""

from __future__ import annotations

import argparse

from espnet_uniwav.cli.command import make_parser, run_command

WORK = "espnet_uniwav.io.config:show"


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = make_parser("config", __doc__)
    parser.add_argument("config", help="conf/*.yaml")
    return parser


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), WORK, cmd)


if __name__ == "__main__":
    main()
