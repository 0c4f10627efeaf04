"""Tables of layer scores: one line per layer, and a comparison of the best layers."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from espnet_uniwav.io.input import read_rows as read_cells
from espnet_uniwav.io.output import atomic_write
from espnet_uniwav.lab.score.resampling import best_difference, draw, interval
from espnet_uniwav.lab.understand.layer_scores import Score

PLACE = ("target", "system", "layer")


def score_rows(scores: list[Score], measure: str) -> list[dict]:
    """One line per layer with value and 95 % interval, in the order of the scores."""
    rows = []
    for score in scores:
        if score.measure == measure:
            draws = draw(len(score.counts))
            low, high = interval(score.sums, score.counts, draws)
            place = (score.target, score.system, score.layer)
            row = dict(zip(("target", "system", "layer"), place))
            rows.append({**row, "value": score.value, "low": low, "high": high})
            rows[-1].update(score.facts)
    return rows


def difference_rows(scores: list[Score]) -> list[dict]:
    """Compare the best layer of each system with that of every later system."""
    groups: dict[tuple[str, str], dict[str, list[Score]]] = {}
    for s in scores:
        groups.setdefault((s.measure, s.target), {}).setdefault(s.system, []).append(s)
    rows = []
    for (measure, target), systems in groups.items():
        names = list(systems)
        for i, system in enumerate(names):
            for other in names[i + 1 :]:
                row = {"measure": measure, "target": target}
                row.update(_compare(systems[system], systems[other]))
                rows.append(row)
    return rows


def _compare(scores: list[Score], others: list[Score]) -> dict:
    counts = scores[0].counts
    difference, low, high = best_difference(
        np.stack([s.sums for s in scores]),
        np.stack([s.sums for s in others]),
        counts,
        draw(len(counts)),
    )
    best, other = (max(group, key=lambda s: s.value) for group in (scores, others))
    return {
        "system": best.system,
        "layer": best.layer,
        "against": other.system,
        "against_layer": other.layer,
        "difference": difference,
        "low": low,
        "high": high,
    }


def write_rows(path: Path, rows: list[dict]) -> None:
    """Write rows with equal or growing keys as CSV; missing values stay empty."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with atomic_write(path) as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for row in rows:
            writer.writerow({name: _number(value) for name, value in row.items()})


def read_rows(path: Path, needed: Iterable[str] = PLACE[:2]) -> list[dict]:
    """Read a table of ``write_rows``; numbers are parsed, empty cells stay empty.

    Args:
        path: Table to read.
        needed: Columns that it must have.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has a header line without these columns.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such table; make it with `uniwav understand`"
        )
    columns, rows = read_cells(path)
    if missing := set(needed) - set(columns or needed):
        raise ValueError(
            f"{path}: expected the columns {sorted(missing)}, found {columns}; make "
            "the table again with `uniwav understand`"
        )
    return [{name: _parse(name, cell) for name, cell in r.items()} for _, r in rows]


def _number(value):
    return f"{value:.5g}" if isinstance(value, float) else value


def _parse(name: str, cell: str):
    if name.endswith(("target", "system", "layer", "measure", "against")):
        return cell
    return float(cell)
