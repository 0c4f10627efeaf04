#!/usr/bin/env python3
"""Draws what trainings learn over the CPU hours that they cost.

A run is an experiment, or a folder of steps that follow each other, as local/hubert.sh
makes it: clusters, a training, other clusters, another training. Every step has a file
`cpu_seconds` of the recipe, a line each time it ran to its end: when that was, and its
CPU seconds. All saved epochs are measured by `uniwav understand`, each with the CPU
hours of its share of the epochs and of all steps before it.

examples:
  python local/cost.py --run HuBERT=exp/hubert ours=exp/train_small_trial --data TEST \\
      --fit_data TRAIN --alignment ALI_TEST ALI_TRAIN --output OUT
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from espnet_uniwav.cli.command import run_script
from espnet_uniwav.io.tables import markdown, write_csv
from espnet_uniwav.lab.report.line_charts import Chart, draw_charts
from espnet_uniwav.lab.report.pictures import GREY, save_png
from espnet_uniwav.lab.score.bootstrap import Estimate
from espnet_uniwav.lab.understand.charts import COLOURS, RANDOM, RAW, line
from espnet_uniwav.lab.understand.layer_scores import (
    INFORMATION,
    PHONES,
    PROBE,
    read_scores,
)
from espnet_uniwav.lab.understand.measure import NamedFolder, understand
from espnet_uniwav.lab.understand.section import table_path

CPU_SECONDS = "cpu_seconds"
EPOCH = re.compile(r"(\d+)epoch\.pth")
YLABELS = {
    INFORMATION: "information about the phone, bits",
    PROBE: "linear probe, % of frames",
}
COLUMNS = ("run", "epoch", "CPU hours", "information, bits", "probe, % of frames")


@dataclass(frozen=True)
class Point:
    """A saved epoch of a run and the CPU hours until then."""

    run: str
    epoch: int
    hours: float
    model_file: Path

    @property
    def name(self) -> str:
        """Of the system that is measured."""
        return f"{self.run} {self.hours:.2f} h"


def cost(
    run: Sequence[NamedFolder],
    data: Path,
    fit_data: Path,
    alignment: Sequence[Path],
    output: Path,
    clusters: int = 64,
) -> str:
    """Measure the epochs of runs; print a table, write it and a figure.

    Args:
        run: Experiments, or folders of them, each with a NAME=.
        data: Kaldi data folder to measure on.
        fit_data: Kaldi data folder of other speakers, for the probe.
        alignment: Output folders of ``uniwav align`` for both.
        output: Folder for cost.csv, cost.png and the scores of all layers.
        clusters: Clusters of k-means.

    Returns:
        The table.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    points = [point for name, folder in run for point in read_run(name, folder)]
    understand(
        [(point.name, point.model_file) for point in points],
        data,
        output,
        fit_data=fit_data,
        alignment=alignment,
        clusters=clusters,
        runs=1,
    )
    best = {measure: best_layers(output, measure) for measure in YLABELS}
    write_csv(output / "cost.csv", _rows(points, best))
    draw(points, best, output / "cost.png")
    table = [
        (p.run, p.epoch, f"{p.hours:.2f}", *(_cell(best, m, p.name) for m in best))
        for p in points
    ]
    controls = [
        (name, "", "", *(_cell(best, measure, name) for measure in best))
        for name in (RANDOM, RAW)
    ]
    return markdown(COLUMNS, [*table, *controls])


def read_run(name: str, folder: Path) -> Iterator[Point]:
    """The saved epochs of a run, in the order of its steps.

    Raises:
        FileNotFoundError: If the CPU seconds or all epochs are missing.
        ValueError: If a line of the CPU seconds is broken.
    """
    steps = sorted((_read_seconds(path), path) for path in folder.rglob(CPU_SECONDS))
    before, found = 0.0, 0
    for (_, seconds), path in steps:
        epochs = {
            int(match[1]): file
            for file in path.parent.iterdir()
            if (match := EPOCH.fullmatch(file.name))
        }
        for epoch, file in sorted(epochs.items()):
            hours = (before + seconds * epoch / max(epochs)) / 3600
            yield Point(name, epoch, hours, file)
        before, found = before + seconds, found + len(epochs)
    if not found:
        raise FileNotFoundError(
            f"{folder}: expected {CPU_SECONDS} and Nepoch.pth of a training that "
            "ended, found none; train with run.sh or local/hubert.sh"
        )


def _read_seconds(path: Path) -> tuple[float, float]:
    """When a step ended (seconds of the clock), and all its CPU seconds."""
    try:
        lines = [list(map(float, line.split())) for line in path.open()]
        if not all(map(math.isfinite, chain(*lines))):
            raise ValueError("not all are numbers")
        return lines[-1][0], sum(sum(line[1:]) for line in lines)
    except (ValueError, IndexError) as error:
        raise ValueError(
            f"{path}: expected lines of a time and CPU seconds, found others; delete "
            "it and the training with it"
        ) from error


def best_layers(folder: Path, measure: str) -> dict[str, dict]:
    """The row of each system's best layer for phones, z aside."""
    best: dict[str, dict] = {}
    for row in read_scores(table_path(folder, measure)):
        if row["target"] != PHONES or row["layer"] == "z":
            continue
        old = best.setdefault(row["system"], row)
        if row["value"] > old["value"]:
            best[row["system"]] = row
    return best


def _rows(points: list[Point], best: dict[str, dict[str, dict]]) -> Iterator[dict]:
    for point in points:
        row = {"run": point.run, "epoch": point.epoch, "cpu_hours": point.hours}
        for measure, rows in best.items():
            found = rows[point.name]
            row[f"{measure}_layer"] = found["layer"]
            row.update({f"{measure}_{k}": found[k] for k in ("value", "low", "high")})
        yield row


def _cell(best: dict[str, dict[str, dict]], measure: str, name: str) -> str:
    row, digits = best[measure][name], 1 if measure == PROBE else 2
    value = Estimate(*_scaled(row, measure).values())
    return f"{value:.{digits}f}, {row['layer']}"


def _scaled(row: dict, measure: str) -> dict[str, float]:
    """Value and interval in the unit of the table and the figure."""
    scale = 100 if measure == PROBE else 1
    return {key: scale * row[key] for key in ("value", "low", "high")}


def draw(points: list[Point], best: dict[str, dict[str, dict]], path: Path) -> None:
    """Draw a panel for each measure, a line per run over CPU hours."""
    charts = []
    for measure, rows in best.items():
        chart = Chart(YLABELS[measure], [], "CPU hours")
        for colour, name in zip(COLOURS, dict.fromkeys(point.run for point in points)):
            own = [point for point in points if point.run == name]
            hours = [point.hours for point in own]
            found = [_scaled(rows[point.name], measure) for point in own]
            chart.lines.append(line(name, found, hours, colour))
        for name, colour in ((RANDOM, "black"), (RAW, GREY)):
            control = [_scaled(rows[name], measure)]
            chart.lines.append(line(name, control, colour=colour))
        charts.append(chart)
    save_png(draw_charts(charts, (6.0, 3.6), log_x=True), path)


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(cost, argv=argv)


if __name__ == "__main__":
    main()
