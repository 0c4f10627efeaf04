"""Word and character error rates of one or several decoded folders, in one table.

    python local/score.py REF_TEXT NAME=HYP_TEXT ... --wav_scp W --group NAME=REGEX ...

Several hypotheses with the same NAME (seeds) are pooled: the rate is their mean, the
interval a bootstrap over utterances. A group holds the utterances whose line of wav.scp
contains REGEX. Writes markdown to stdout and, with --csv, a table. Its last line is a
baseline: the most frequent word of the reference, repeated to the length of each text.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from espnet_uniwav.analysis.word_errors import (
    bootstrap_interval,
    count_errors,
    error_rate,
)
from espnet_uniwav.data.kaldi import read_table

COLUMNS = ("system", "group", "runs", "utterances", "metric", "rate", "low", "high")


def main() -> None:
    """Run the command; errors are one line and exit status 1."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("reference", type=Path)
    parser.add_argument("hypotheses", nargs="+", metavar="NAME=HYP_TEXT")
    parser.add_argument("--wav_scp", type=Path, help="table that defines the groups")
    parser.add_argument("--group", action="append", default=[], metavar="NAME=REGEX")
    parser.add_argument("--csv", type=Path)
    args = parser.parse_args()
    reference = read_table(args.reference)
    systems = defaultdict(list)
    for entry in args.hypotheses:
        name, _, path = entry.partition("=")
        systems[name].append(errors_of(reference, read_table(Path(path)), path))
    word = Counter(" ".join(reference.values()).split()).most_common(1)[0][0]
    systems[f"floor: {word} repeated"] = [
        {utt: count_errors(text, repeat(word, text)) for utt, text in reference.items()}
    ]
    groups = {"all": sorted(reference), **read_groups(args)}
    rows = [
        row
        for name, runs in systems.items()
        for group, utts in groups.items()
        for row in rates(name, group, runs, utts)
    ]
    if args.csv:
        args.csv.parent.mkdir(parents=True, exist_ok=True)
        with open(args.csv, "w", newline="", encoding="utf-8") as f:
            csv.writer(f).writerows([COLUMNS, *rows])
    print_markdown(rows, list(groups))


def errors_of(reference: dict, hypotheses: dict, path: str) -> dict:
    """Edit counts per utterance; a missing hypothesis counts as deletions."""
    if unknown := sorted(set(hypotheses) - set(reference)):
        sys.exit(f"score.py: {path}: {unknown[0]} is not in the reference text")
    return {
        utt: count_errors(text, hypotheses.get(utt, ""))
        for utt, text in reference.items()
    }


def repeat(word: str, text: str) -> str:
    """Repeat a word up to the length of a text, at least once."""
    count = round((len(text) + 1) / (len(word) + 1))
    return " ".join([word] * max(count, 1))


def read_groups(args: argparse.Namespace) -> dict[str, list[str]]:
    """Name -> utterances of every --group."""
    if not args.group:
        return {}
    if args.wav_scp is None:
        sys.exit("score.py: --group needs --wav_scp")
    paths, groups = read_table(args.wav_scp), {}
    for entry in args.group:
        name, _, pattern = entry.partition("=")
        groups[name] = [utt for utt in sorted(paths) if re.search(pattern, paths[utt])]
        if not groups[name]:
            sys.exit(f"score.py: --group {entry}: no line of {args.wav_scp} matches")
    return groups


def rates(name: str, group: str, runs: list[dict], utts: list[str]) -> list[tuple]:
    """Mean rate over runs and 95 % interval, for characters and words."""
    rows = []
    for metric, edits, units in (
        ("CER", "char_edits", "chars"),
        ("WER", "word_edits", "words"),
    ):
        wrong = np.array([[getattr(run[u], edits) for u in utts] for run in runs])
        total = np.array([getattr(runs[0][u], units) for u in utts])
        low, high = bootstrap_interval(wrong.mean(axis=0), total)
        rate = error_rate(wrong.mean(axis=0), total)
        values = (f"{value:.2f}" for value in (rate, low, high))
        rows.append((name, group, len(runs), len(utts), metric, *values))
    return rows


def print_markdown(rows: list[tuple], groups: list[str]) -> None:
    """One line per system, one pair of columns per group."""
    cells = {row[:2] + row[4:5]: "{} ({} to {})".format(*row[5:]) for row in rows}
    columns = [(group, metric) for group in groups for metric in ("CER", "WER")]
    header = [f"{group}: {metric} %" for group, metric in columns]
    print("| system | runs | " + " | ".join(header) + " |")
    print("|---" * (len(columns) + 2) + "|")
    for name, runs in dict((row[0], row[2]) for row in rows).items():
        values = [cells[name, group, metric] for group, metric in columns]
        print(f"| {name} | {runs} | " + " | ".join(values) + " |")


if __name__ == "__main__":
    try:
        main()
    except FileNotFoundError as error:
        sys.exit(f"score.py: {error}")
