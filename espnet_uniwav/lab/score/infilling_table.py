"""Infilling results: rows, differences with intervals, markdown and CSV."""

from __future__ import annotations

import csv
import itertools
import math
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np

from espnet_uniwav.core.flow.sampling import Sampling
from espnet_uniwav.io.output import atomic_write
from espnet_uniwav.lab.score.infilling import (
    COPY,
    LINEAR,
    MEAN,
    MODEL,
    ORIGINAL,
    Protocol,
    Score,
    Scorer,
)
from espnet_uniwav.lab.score.word_errors import bootstrap_interval, error_rate


@dataclass(frozen=True)
class Row:
    """One line of the table; rates in percent, low to high is the 95 % interval."""

    system: str
    span: float
    wer: float
    low: float
    high: float
    cer: float
    distance: float
    utterances: int
    words: int
    settings: str


@dataclass(frozen=True)
class Difference:
    """WER of ``system`` minus WER of ``filler`` (points), with its 95 % interval."""

    system: str
    filler: str
    span: float
    points: float
    low: float
    high: float


def parse_grid(text: str, base: Sampling) -> list[Sampling]:
    """Every combination of the settings in ``num_steps=1,2;temperature=0.7,1``.

    Args:
        text: ``name=value,value`` parts between semicolons; may be empty.
        base: Gives the settings that the text does not name, and their types.

    Raises:
        ValueError: If a name is no sampling setting or a value is of another type.
    """
    known = asdict(base)
    choices: dict[str, list] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, _, values = part.partition("=")
        name = name.strip()
        if name not in known or not values:
            raise ValueError(
                f"--grid: expected name=value,... with a name of {sorted(known)}, "
                f"found {part!r}"
            )
        kind = type(known[name])
        choices[name] = [kind(value.strip()) for value in values.split(",")]
    return [
        replace(base, **dict(zip(choices, values)))
        for values in itertools.product(*choices.values())
    ]


def score_table(
    scorer: Scorer,
    model,
    protocols: list[Protocol],
    grid: list[Sampling],
    seed: int = 0,
) -> tuple[list[Row], list[Difference]]:
    """Score the fixed systems and the model's fillings at every span.

    Args:
        scorer: Holds utterances, judge and cache.
        model: ``UniWav``; None scores the fixed systems alone.
        protocols: One per span length.
        grid: Sampling settings to try.
        seed: Of the initial noise.
    """
    rows, differences = [], []
    for protocol in protocols:
        fixed = {s: scorer.fixed(s, protocol) for s in (ORIGINAL, COPY, MEAN, LINEAR)}
        rows += [summarise(s, protocol, scores) for s, scores in fixed.items()]
        for sampling in grid if model is not None else []:
            label = MODEL if len(grid) == 1 else f"{MODEL} {_varied(sampling, grid)}"
            scores = scorer.model(model, protocol, sampling, seed, label)
            rows.append(
                summarise(label, protocol, scores, f"{sampling} noise_seed={seed}")
            )
            differences += [
                compare(label, scores, filler, fixed[filler], protocol)
                for filler in (MEAN, LINEAR)
                if scorer.judge is not None
            ]
    return rows, differences


def _varied(sampling: Sampling, grid: list[Sampling]) -> str:
    """The settings that differ within the grid."""
    return " ".join(
        f"{name}={value}"
        for name, value in asdict(sampling).items()
        if len({getattr(other, name) for other in grid}) > 1
    )


def summarise(
    system: str, protocol: Protocol, scores: list[Score], settings: str = ""
) -> Row:
    """Total the scores of one system into a row."""
    errors = [score.errors for score in scores if score.errors is not None]
    edits, words = [e.word_edits for e in errors], [e.words for e in errors]
    low, high = bootstrap_interval(edits, words) if errors else (math.nan, math.nan)
    settings = f"share={protocol.share} mask_seed={protocol.seed} {settings}"
    return Row(
        system=system,
        span=protocol.span,
        wer=error_rate(edits, words),
        low=low,
        high=high,
        cer=error_rate([e.char_edits for e in errors], [e.chars for e in errors]),
        distance=float(np.mean([score.distance for score in scores])),
        utterances=len(scores),
        words=sum(words),
        settings=settings.strip(),
    )


def compare(
    system: str,
    scores: list[Score],
    filler: str,
    others: list[Score],
    protocol: Protocol,
) -> Difference:
    """Paired comparison of two systems on the same utterances."""
    edits = [a.errors.word_edits - b.errors.word_edits for a, b in zip(scores, others)]
    words = [score.errors.words for score in scores]
    low, high = bootstrap_interval(edits, words)
    points = error_rate(edits, words)
    return Difference(system, filler, protocol.span, points, low, high)


def markdown(rows: list[Row]) -> str:
    """The rows as a table, a group of columns per span."""
    spans = sorted({row.span for row in rows})
    cells = {(row.system, row.span): row for row in rows}
    systems = list(dict.fromkeys(row.system for row in rows))
    titles = [
        f"{1000 * span:.0f} ms: {title}"
        for span in spans
        for title in ("WER % (95 %)", "CER %", "distance")
    ]
    lines = [
        "| system | " + " | ".join(titles) + " |",
        "|---" * (len(titles) + 1) + "|",
    ]
    for system in systems:
        parts = [part for s in spans for part in _cells(cells[system, s])]
        lines.append(f"| {system} | " + " | ".join(parts) + " |")
    return "\n".join(lines)


def _cells(row: Row) -> list[str]:
    if math.isnan(row.wer):
        return ["", "", f"{row.distance:.3f}"]
    wer = f"{row.wer:.1f} ({row.low:.1f} to {row.high:.1f})"
    return [wer, f"{row.cer:.1f}", f"{row.distance:.3f}"]


def write_csv(path: Path, rows: list[Row]) -> None:
    """Write one line per system and span; missing scores stay empty."""
    with atomic_write(path) as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        for row in rows:
            values = asdict(row).items()
            writer.writerow({name: _number(value) for name, value in values})


def _number(value):
    if not isinstance(value, float):
        return value
    return "" if math.isnan(value) else f"{value:.4g}"
