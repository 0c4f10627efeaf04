"""Means of scores with intervals, as markdown and CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from espnet_uniwav.apps.tts.lines import Line
from espnet_uniwav.io.output import atomic_write
from espnet_uniwav.lab.score.scores import Score
from espnet_uniwav.lab.score.word_errors import bootstrap_interval, error_rate

METRICS = ("WER %", "CER %", "similarity", "DistillMOS")
HEAD = ("system", "utterances", *METRICS, "real-time factor")
PAIRED_HEAD = ("system", "WER, points", "CER, points", *METRICS[2:])


@dataclass(frozen=True)
class Mean:
    """A mean and its 95 % interval over utterances."""

    value: float
    low: float
    high: float
    digits: int

    def __str__(self) -> str:
        value, low, high = (
            f"{v:.{self.digits}f}" for v in (self.value, self.low, self.high)
        )
        return f"{value} ({low} to {high})"


def means(scores: list[Score], baseline: list[Score] | None = None) -> dict[str, Mean]:
    """Metric -> mean over the scores of a system.

    Args:
        scores: Of the system.
        baseline: Scores of another system on the same lines; if given, the means are
            those of the differences, system minus baseline.
    """
    own = parts(scores)
    others = parts(baseline) if baseline is not None else {}
    found = {}
    for metric, (values, counts, scale, digits) in own.items():
        if metric in others:
            values = values - others[metric][0]
        bounds = error_rate(values, counts), *bootstrap_interval(values, counts)
        found[metric] = Mean(*(bound / scale for bound in bounds), digits)
    return found


def parts(scores: list[Score]) -> dict[str, tuple[np.ndarray, np.ndarray, int, int]]:
    """Metric -> (N,) values, (N,) counts, divisor of their rate in percent, digits."""
    ones = np.ones(len(scores))
    errors = [score.errors for score in scores]
    columns = {
        "WER %": ([e.word_edits for e in errors], [e.words for e in errors], 1, 1),
        "CER %": ([e.char_edits for e in errors], [e.chars for e in errors], 1, 1),
        "similarity": ([s.similarity for s in scores], ones, 100, 3),
        "DistillMOS": ([s.naturalness for s in scores], ones, 100, 2),
    }
    return {
        metric: (np.array(values, float), np.array(counts), scale, digits)
        for metric, (values, counts, scale, digits) in columns.items()
    }


def rows(
    systems: dict[str, list[Score]], times: dict[str, float | None]
) -> list[list[str]]:
    """A row of strings per system, in the order of ``HEAD``.

    Args:
        systems: Name -> scores.
        times: Name -> real-time factor, where it is known.
    """
    table = []
    for name, scores in systems.items():
        found, factor = means(scores), times.get(name)
        table.append(
            [name, str(len(scores)), *(str(found[metric]) for metric in METRICS)]
            + ["" if factor is None else f"{factor:.3f}"]
        )
    return table


def differences(systems: dict[str, list[Score]], baseline: str) -> list[list[str]]:
    """A row of strings per system but the baseline, in the order of ``PAIRED_HEAD``."""
    table = []
    for name, scores in systems.items():
        if name != baseline:
            found = means(scores, systems[baseline])
            table.append([name, *(str(found[metric]) for metric in METRICS)])
    return table


def markdown(head: Sequence[str], table: list[list[str]]) -> str:
    """The rows under a head."""
    lines = [head, ["---"] * len(head), *table]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_csv(path: Path, lines: list[Line], systems: dict[str, list[Score]]) -> None:
    """One line per system and utterance."""
    with atomic_write(path) as f:
        writer = csv.writer(f)
        writer.writerow(
            ["system", "name", "speaker", "word_edits", "words", "char_edits", "chars"]
            + ["similarity", "naturalness", "seconds", "text", "heard"]
        )
        for name, scores in systems.items():
            for line, s in zip(lines, scores):
                e = s.errors
                writer.writerow(
                    [name, line.name, line.speaker, e.word_edits, e.words]
                    + [e.char_edits, e.chars, f"{s.similarity:.4f}"]
                    + [f"{s.naturalness:.4f}", f"{s.seconds:.3f}", line.text, s.heard]
                )
