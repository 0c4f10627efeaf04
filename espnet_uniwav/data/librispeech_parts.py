"""Writes Kaldi-style data folders of the unpacked LibriSpeech.

    python -m espnet_uniwav.data.librispeech_parts LIBRISPEECH OUT PART [PART ...]

LIBRISPEECH holds train-clean-100, dev-clean, ... OUT is one data folder with all PARTs:
wav.scp with the FLAC files themselves, text, utt2spk, spk2utt and speech_shape.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

from espnet_uniwav.cli.command import run_command
from espnet_uniwav.data.librispeech import read_part

SAMPLE_RATE = 16000


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="espnet_uniwav.data.librispeech_parts", description=__doc__.split("\n")[0]
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("parts", nargs="+", metavar="PART")
    return parser


def prepare(args: argparse.Namespace) -> None:
    """Write one data folder with all parts, each table sorted by its key."""
    rows = [row for part in args.parts for row in read_part(args.corpus, part)]
    utts = defaultdict(list)
    for utt, speaker in sorted((row.utt, row.speaker) for row in rows):
        utts[speaker].append(utt)
    tables = {
        "wav.scp": {row.utt: row.path for row in rows},
        "text": {row.utt: row.text for row in rows},
        "utt2spk": {row.utt: row.speaker for row in rows},
        "spk2utt": {speaker: " ".join(own) for speaker, own in utts.items()},
        "speech_shape": {row.utt: round(row.seconds * SAMPLE_RATE) for row in rows},
    }
    args.out.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        lines = (f"{key} {value}\n" for key, value in sorted(table.items()))
        (args.out / name).write_text("".join(lines), encoding="utf-8")


def main(argv: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), prepare, argv)


if __name__ == "__main__":
    main()
