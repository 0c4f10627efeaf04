"""Word and character error rates of one or several decoded folders, in one table.

    python local/score.py REF_TEXT NAME=HYP_TEXT ... --wav_scp W --group NAME=REGEX ...
        --baseline NAME

Several hypotheses with the same NAME (seeds) are pooled: the rate is their mean, the
interval a bootstrap over utterances. A group holds the utterances whose line of wav.scp
contains REGEX. Writes markdown to stdout and, with --csv, a table. Its last line is the
floor: the most frequent word of the reference, repeated to the length of each text.
With --baseline, a second table has the differences from a system, paired by utterance:
in points, and as a share of the baseline's errors.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from espnet_uniwav.io.kaldi import read_table
from espnet_uniwav.io.tables import markdown, write_csv
from espnet_uniwav.lab.score.bootstrap import estimate_rate
from espnet_uniwav.lab.score.word_errors import count_errors

COLUMNS = ("system", "group", "runs", "utterances", "metric", "rate", "low", "high")
METRICS = {"CER": ("char_edits", "chars"), "WER": ("word_edits", "words")}


def main() -> None:
    """Run the command; errors are one line and exit status 1."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("reference", type=Path)
    parser.add_argument("hypotheses", nargs="+", metavar="NAME=HYP_TEXT")
    parser.add_argument("--wav_scp", type=Path, help="table that defines the groups")
    parser.add_argument("--group", action="append", default=[], metavar="NAME=REGEX")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--baseline", metavar="NAME")
    args = parser.parse_args()
    reference = read_table(args.reference)
    systems = defaultdict(list)
    for entry in args.hypotheses:
        name, _, path = entry.partition("=")
        systems[name].append(errors_of(reference, read_table(Path(path)), path))
    if args.baseline and args.baseline not in systems:
        sys.exit(f"score.py: --baseline: expected one of {', '.join(systems)}")
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
        write_csv(args.csv, (dict(zip(COLUMNS, row)) for row in rows))
    print_markdown(rows, list(groups))
    if args.baseline:
        print()
        print_differences(systems, args.baseline, groups)


def errors_of(reference: dict, hypotheses: dict, path: str) -> dict:
    """Edit counts per utterance; missing hypotheses are deletions, and told."""
    if unknown := sorted(set(hypotheses) - set(reference)):
        sys.exit(f"score.py: {path}: {unknown[0]} is not in the reference text")
    if missing := len(set(reference) - set(hypotheses)):
        print(
            f"score.py: {path}: {missing} of {len(reference)} utterances are missing "
            "and count as deletions; is decoding still running?",
            file=sys.stderr,
        )
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
    for metric in METRICS:
        wrong, total = counts(runs, utts, metric)
        values = (f"{value:.2f}" for value in estimate_rate(wrong, total))
        rows.append((name, group, len(runs), len(utts), metric, *values))
    return rows


def counts(runs: list[dict], utts: list[str], metric: str) -> tuple:
    """Edits, averaged over runs, and units of every utterance."""
    edits, units = METRICS[metric]
    wrong = np.array([[getattr(run[u], edits) for u in utts] for run in runs])
    return wrong.mean(axis=0), np.array([getattr(runs[0][u], units) for u in utts])


def print_markdown(rows: list[tuple], groups: list[str]) -> None:
    """One line per system, one pair of columns per group."""
    cells = {row[:2] + row[4:5]: "{} ({} to {})".format(*row[5:]) for row in rows}
    columns = [(group, metric) for group in groups for metric in ("CER", "WER")]
    header = [f"{group}: {metric} %" for group, metric in columns]
    lines = [
        [name, runs, *(cells[name, group, metric] for group, metric in columns)]
        for name, runs in dict((row[0], row[2]) for row in rows).items()
    ]
    print(markdown(["system", "runs", *header], lines))


def print_differences(systems: dict, baseline: str, groups: dict) -> None:
    """One line per system: its rate minus that of the baseline, on the same texts."""
    head, lines = [], defaultdict(list)
    for group, utts in groups.items():
        for metric in METRICS:
            base, total = counts(systems[baseline], utts, metric)
            head += [f"{group}: {metric}, points", f"{group}: {metric}, % of errors"]
            for name in systems:
                less = counts(systems[name], utts, metric)[0] - base
                for units in (total, base):
                    lines[name].append(f"{estimate_rate(less, units):.2f}")
    del lines[baseline]
    rows = [[name, *values] for name, values in lines.items()]
    print(markdown([f"minus {baseline}", *head], rows))


if __name__ == "__main__":
    try:
        main()
    except FileNotFoundError as error:
        sys.exit(f"score.py: {error}")
