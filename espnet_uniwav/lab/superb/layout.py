"""Lays data folders out as S3PRL's SUPERB tasks expect them.

    python -m espnet_uniwav.lab.superb.layout DATA OUT [--tasks pr asr sid asv]

DATA holds the Kaldi-style folders train, dev and test. Audio is linked, not copied.
Every task has its own folder below OUT, with a list of its utterances, utterances.tsv.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from espnet_uniwav.cli.command import say_interrupted
from espnet_uniwav.lab.superb.folders import fresh_folder
from espnet_uniwav.lab.superb.identification import write_sid
from espnet_uniwav.lab.superb.transcribed import write_asr, write_pr
from espnet_uniwav.lab.superb.utterances import read_folders
from espnet_uniwav.lab.superb.verification import write_asv

WRITERS = {"pr": write_pr, "asr": write_asr, "sid": write_sid, "asv": write_asv}


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tasks", nargs="+", choices=WRITERS, default=list(WRITERS))
    parser.add_argument(
        "--groups",
        nargs="*",
        default=[],
        metavar="NAME=REGEX",
        help="speakers with a matching line of wav.scp are scored separately",
    )
    parser.add_argument(
        "--oov",
        choices=("guess", "drop"),
        default="guess",
        help="pr: guess words that the lexicon lacks, or drop their utterances",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    args = get_parser().parse_args(argv)
    try:
        groups = dict(_parse_group(entry) for entry in args.groups)
        utterances = read_folders(args.data, groups)
        for task in args.tasks:
            options = {"oov": args.oov} if task == "pr" else {}
            folder = fresh_folder(args.out / task)
            print("\n".join(WRITERS[task](utterances, folder, **options)))
    except (OSError, ValueError) as error:
        print(f"layout: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return say_interrupted("layout")
    return 0


def _parse_group(entry: str) -> tuple[str, str]:
    name, found, regex = entry.partition("=")
    if not (name and found and regex) or "," in name or name == "all":
        raise ValueError(
            f"--groups {entry}: expected NAME=REGEX, no comma in NAME, and not `all`"
        )
    return name, regex


if __name__ == "__main__":
    sys.exit(main())
