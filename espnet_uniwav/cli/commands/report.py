"""Show a pre-training as one self-contained HTML page.

examples:
  uniwav report --exp EXP --checkpoint EXP/checkpoint --wav_scp data/test/wav.scp
"""

from __future__ import annotations

import argparse
from pathlib import Path

from espnet_uniwav.cli.command import make_parser, run_command
from espnet_uniwav.cli.options import (
    add_checkpoint,
    add_num_utterances,
    add_sampling,
    add_seed,
)
from espnet_uniwav.io.units import seconds

WORK = "espnet_uniwav.lab.report.report:report"


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = make_parser("report", __doc__)
    parser.add_argument("--exp", type=Path, required=True, help="ESPnet's output_dir")
    add_checkpoint(parser, required=False)
    parser.add_argument(
        "--wav_scp", type=Path, help="wav.scp of a held-out data folder"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("report/index.html"), help="page to write"
    )
    parser.add_argument(
        "--title", default="UniWav pre-training", help="title of the page"
    )
    parser.add_argument(
        "--corpus", default="", help="name of the corpus, shown on the page"
    )
    add_num_utterances(parser, 4)
    parser.add_argument(
        "--mask_share", type=float, default=0.3, help="share of frames hidden"
    )
    parser.add_argument("--mask_span", type=seconds, default=0.2, help="seconds")
    parser.add_argument(
        "--infill_table",
        type=Path,
        nargs="+",
        default=[],
        metavar="CSV",
        help="infilling scores, shown as tables",
    )
    parser.add_argument(
        "--table",
        action="append",
        default=[],
        metavar="TITLE=CSV",
        help="another table; repeat for more",
    )
    parser.add_argument(
        "--understanding",
        type=Path,
        metavar="FOLDER",
        help="output folder of `uniwav understand`: analysis of the layers",
    )
    parser.add_argument(
        "--speech",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="output folders of `uniwav score`: speech of a synthesiser or tokenizer",
    )
    parser.add_argument(
        "--command",
        action="append",
        default=[],
        help="a command line that reproduces the run; repeat for more",
    )
    add_sampling(parser)
    add_seed(parser)
    return parser


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), WORK, cmd)


if __name__ == "__main__":
    main()
