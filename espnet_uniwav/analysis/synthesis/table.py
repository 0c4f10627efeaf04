"""Means of scores with intervals, as markdown and CSV."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from espnet_uniwav.analysis.synthesis.scores import Score
from espnet_uniwav.analysis.word_errors import bootstrap_interval, error_rate
from espnet_uniwav.files.output import whole_file
from espnet_uniwav.tts.lines import Line

METRICS = ("WER %", "CER %", "similarity", "DistillMOS")
HEAD = ("system", "utterances", *METRICS, "real-time factor")


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


def means(scores: list[Score]) -> dict[str, Mean]:
    """Metric -> mean over the scores of a system."""
    ones = np.ones(len(scores))
    errors = [score.errors for score in scores]
    parts = {
        "WER %": ([e.word_edits for e in errors], [e.words for e in errors], 1, 1),
        "CER %": ([e.char_edits for e in errors], [e.chars for e in errors], 1, 1),
        "similarity": ([s.similarity for s in scores], ones, 100, 3),
        "DistillMOS": ([s.naturalness for s in scores], ones, 100, 2),
    }
    return {
        metric: Mean(
            error_rate(sums, counts) / scale,
            *(bound / scale for bound in bootstrap_interval(sums, counts)),
            digits,
        )
        for metric, (sums, counts, scale, digits) in parts.items()
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


def markdown(table: list[list[str]]) -> str:
    """The rows under ``HEAD``."""
    lines = [HEAD, ["---"] * len(HEAD), *table]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_csv(path: Path, lines: list[Line], systems: dict[str, list[Score]]) -> None:
    """One line per system and utterance."""
    with whole_file(path) as f:
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
