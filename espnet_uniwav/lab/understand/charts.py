"""Charts of a measure over layers: a line per system, the raw features, chance."""

from __future__ import annotations

from itertools import groupby

import numpy as np

from espnet_uniwav.lab.report.line_charts import LAYERS, Chart, Line
from espnet_uniwav.lab.report.pictures import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    SKY,
)

RANDOM, RAW = "random encoder", "raw features"
COLOURS = BLUE, GREEN, PURPLE, SKY


def layer_chart(rows: list[dict], ylabel: str, percent: bool) -> Chart:
    """What to draw of a target of a measure.

    Args:
        rows: One per system and layer: their names, value, low, high and chance. Those
            of a system are neighbours.
        ylabel: Name and unit of the vertical axis.
        percent: Values are shares of one.
    """
    chance = Line("chance", [np.mean([row["chance"] for row in rows])])
    lines, free = [], iter(COLOURS * len(rows))
    names = {row["layer"]: None for row in rows if row["system"] != RAW}
    layers = sorted(names, key=lambda name: not name.isdigit())
    for system, group in groupby(rows, lambda row: row["system"]):
        group = list(group)
        if system == RAW:
            lines.append(line(RAW, group, colour=RED))
            continue
        colour = ORANGE if system == RANDOM else next(free)
        # z and codes are no layers: points of their own.
        numbered = [row for row in group if row["layer"].isdigit()]
        parts = [numbered, *([row] for row in group if row not in numbered)]
        for label, part in zip([system, *[""] * len(group)], filter(None, parts)):
            x = [layers.index(row["layer"]) for row in part]
            lines.append(line(label, part, x, colour))
    return Chart(ylabel, [*lines, chance], LAYERS, layers, percent)


def line(label: str, rows: list[dict], x=(), colour: str = GREY) -> Line:
    """Values of rows with their intervals; arguments as of ``Line``."""
    y, *interval = np.transpose([[r["value"], r["low"], r["high"]] for r in rows])
    return Line(label, y, x, colour, np.array(interval), marked=True)
