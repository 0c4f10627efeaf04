"""Writes Kaldi-style data folders of the unpacked LibriSpeech.

    python -m espnet_uniwav.lab.corpora.librispeech_parts LIBRISPEECH OUT PART [...]

LIBRISPEECH holds train-clean-100, dev-clean, ... OUT is one data folder with all PARTs:
wav.scp with the FLAC files themselves, text, utt2spk, spk2utt and speech_shape.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from espnet_uniwav.cli.command import run_command
from espnet_uniwav.io.audio import SAMPLE_RATE
from espnet_uniwav.io.kaldi import write_data_folder
from espnet_uniwav.lab.corpora.librispeech import read_part


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="espnet_uniwav.lab.corpora.librispeech_parts",
        description=__doc__.split("\n")[0],
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("parts", nargs="+", metavar="PART")
    return parser


def prepare(args: argparse.Namespace) -> None:
    """Write one data folder with all parts, each table sorted by its key."""
    rows = [row for part in args.parts for row in read_part(args.corpus, part)]
    tables = {
        "wav.scp": {row.utt: row.path for row in rows},
        "text": {row.utt: row.text for row in rows},
        "utt2spk": {row.utt: row.speaker for row in rows},
        "speech_shape": {row.utt: round(row.seconds * SAMPLE_RATE) for row in rows},
    }
    write_data_folder(args.out, tables)


def main(argv: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), prepare, argv)


if __name__ == "__main__":
    main()
