"""Measure phone and speaker information in every layer.

Mutual information of k-means units with phones and speakers, linear probes, and phone
ABX (--abx), next to the raw features and a random encoder. Writes tables and pictures;
`uniwav report --understanding FOLDER` shows them.

examples:
  uniwav understand --checkpoint CHECKPOINT --data data/dev --output OUT
  uniwav understand --checkpoint joint=A dinosr=B --data data/dev \\
      --fit_data data/train --alignment ALI_DEV ALI_TRAIN --output OUT
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from espnet_uniwav.cli.command import make_parser, run_command
from espnet_uniwav.cli.options import add_device, add_num_utterances, add_seed
from espnet_uniwav.io.units import count

WORK = "espnet_uniwav.lab.understand.measure:understand"


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = make_parser("understand", __doc__)
    add = parser.add_argument
    add(
        "--checkpoint",
        type=named_folder,
        nargs="+",
        required=True,
        metavar="[NAME=]FOLDER",
        help="folder or name; raw features and random encoder are from the first one",
    )
    add(
        "--codes",
        type=named_folder,
        nargs="+",
        default=[],
        metavar="[NAME=]FOLDER",
        help="output of `uniwav tokenize` for --data: mutual information of each code",
    )
    add("--data", type=Path, required=True, help="held-out Kaldi data folder")
    add("--fit_data", type=Path, help="Kaldi data folder to fit the phone probe on")
    add(
        "--alignment",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="output of `uniwav align` for --data and --fit_data; phones are measured "
        "on the aligned utterances, speakers on all of --data",
    )
    add("--output", type=Path, required=True, help="folder to write")
    add_num_utterances(parser)
    add(
        "--num_fit_utterances", type=int, help="utterances of --fit_data (default: all)"
    )
    add(
        "--clusters",
        type=int,
        help="(default: up to 1024 with 300 frames or more for each)",
    )
    add("--runs", type=int, default=4, help="runs of k-means, averaged")
    add(
        "--max_frames",
        type=count,
        default=50000,
        help="frames per folder at most; more are thinned",
    )
    add(
        "--abx",
        action="store_true",
        help="measure phone ABX on the aligned utterances of --data too; takes minutes "
        "for a layer, and the package fastabx",
    )
    add_seed(parser)
    add_device(parser)
    return parser


def named_folder(text: str) -> tuple[str, Path]:
    """Split ``NAME=FOLDER``; without a name, the experiment's folder gives it."""
    name, _, folder = text.rpartition("=")
    folder = Path(folder)
    parts = [part for part in folder.parts if part not in ("checkpoint", "..", "/")]
    return name or (parts[-1] if parts else "checkpoint"), folder


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    cmd = sys.argv[1:] if cmd is None else cmd
    parser = get_parser()
    parser.set_defaults(command=shlex.join(["uniwav", "understand", *cmd]))
    run_command(parser, WORK, cmd)


if __name__ == "__main__":
    main()
