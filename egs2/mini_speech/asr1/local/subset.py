"""Keeps some minutes of a data folder, for recognition with few transcripts.

    python local/subset.py DATA OUT MINUTES

Utterances are taken in the order of their hashes, the same on every machine, until
MINUTES are reached; a larger subset holds every smaller one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from espnet_uniwav.cli.command import run_command
from espnet_uniwav.io.audio import SAMPLE_RATE
from espnet_uniwav.io.kaldi import hash_share, read_table, refuse_segments
from espnet_uniwav.io.output import write_text

TABLES = ("wav.scp", "text", "utt2spk", "speech_shape", "alignment")


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="subset.py", description=__doc__.split("\n")[0]
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("minutes", type=float)
    return parser


def keep_minutes(args: argparse.Namespace) -> str:
    """Write the smaller data folder; say what is in it."""
    refuse_segments(args.data)
    tables = {name: read_table(args.data / name) for name in TABLES}
    samples = {utt: int(value) for utt, value in tables["speech_shape"].items()}
    chosen = choose(samples, args.minutes * 60 * SAMPLE_RATE)
    if chosen is None:
        minutes = sum(samples.values()) / SAMPLE_RATE / 60
        raise ValueError(f"{args.data} holds {minutes:.1f} minutes: ask for fewer")
    for name, table in tables.items():
        if missing := [utt for utt in chosen if utt not in table]:
            raise ValueError(f"{args.data / name}: no line for {missing[0]}")
    args.out.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        lines = (f"{utt} {table[utt]}\n" for utt in chosen)
        write_text(args.out / name, "".join(lines))
    speakers = {tables["utt2spk"][utt] for utt in chosen}
    return f"{args.out}: {len(chosen)} utterances of {len(speakers)} speakers"


def choose(samples: dict[str, int], total: float) -> list[str] | None:
    """The first utterances in hash order that reach ``total`` samples, sorted.

    Returns:
        None if all of them are too few.
    """
    chosen, reached = [], 0
    for utt in sorted(samples, key=hash_share):
        if reached >= total:
            return sorted(chosen)
        chosen.append(utt)
        reached += samples[utt]
    return sorted(chosen) if reached >= total else None


def main(argv: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), keep_minutes, argv)


if __name__ == "__main__":
    main()
