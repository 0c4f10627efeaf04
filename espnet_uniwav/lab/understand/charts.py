"""Charts of a measure over layers: a line per system, references, chance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from espnet_uniwav.lab.report import pictures
from espnet_uniwav.lab.report.pictures import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PERCENT,
    PURPLE,
    RED,
    SKY,
    draw_level,
)

RANDOM, RAW = "random encoder", "raw features"
COLOURS = (BLUE, GREEN, PURPLE, SKY, RED)
PANEL = (5.6, 3.3)
# Space for z and codes, which are not layers.
APART = 1.5


@dataclass
class LayerLine:
    """One system: values and 95 % intervals, all of shape (layers,).

    Attributes:
        label: Its name in the legend.
        layers: Names of the layers.
        values, lows, highs: Values and limits of their intervals.
        colour: A matplotlib colour.
    """

    label: str
    layers: list[str]
    values: np.ndarray
    lows: np.ndarray
    highs: np.ndarray
    colour: str


@dataclass
class LayerPanel:
    """One target of one measure.

    Attributes:
        title: Name of the target.
        ylabel: Name and unit of the vertical axis.
        lines: One per system.
        reference: A system without layers, drawn as a horizontal line.
        chance: Chance level.
        most: Largest possible value; adds an axis of shares of it on the right.
        percent: Whether values are shares of one.
        apart: Names that are not layers, drawn separately on the right.
    """

    title: str
    ylabel: str
    lines: list[LayerLine]
    reference: LayerLine | None = None
    chance: float | None = None
    most: float | None = None
    percent: bool = False
    apart: tuple[str, ...] = ("z",)


def make_panel(
    title: str,
    ylabel: str,
    rows: list[dict],
    columns: tuple[str, str, str] = ("value", "low", "high"),
    **settings,
) -> LayerPanel:
    """What to draw of a table, the raw features as reference.

    Args:
        title: Of the panel.
        ylabel: Of its vertical axis.
        rows: One per system and layer.
        columns: That hold the values and the limits of their intervals.
        **settings: Further fields of the panel.
    """
    systems: dict[str, list[dict]] = {}
    for row in rows:
        systems.setdefault(row["system"], []).append(row)
    own = [name for name in systems if name not in (RANDOM, RAW)]
    colours = {RANDOM: ORANGE, RAW: GREY}
    colours.update((name, COLOURS[i % len(COLOURS)]) for i, name in enumerate(own))
    lines = {
        name: LayerLine(
            name,
            [row["layer"] for row in group],
            *(np.array([row[column] for row in group]) for column in columns),
            colours[name],
        )
        for name, group in systems.items()
    }
    names = {row["layer"] for row in rows if not row["layer"].isdigit()}
    reference = lines.pop(RAW, None)
    return LayerPanel(
        title,
        ylabel,
        list(lines.values()),
        reference,
        apart=tuple(names),
        **settings,
    )


def save_panels(panels: list[LayerPanel], path: Path) -> None:
    """Save a picture in the place of an earlier one; without panels there is none."""
    path.unlink(missing_ok=True)
    if panels:
        pictures.save_png(draw_panels(panels), path)


@pictures.styled
def draw_panels(panels: list[LayerPanel]) -> Figure:
    """Draw panels in rows of two, each with its own vertical axis."""
    columns = min(len(panels), 2)
    rows = -(-len(panels) // columns)
    width, height = PANEL
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    for number, panel in enumerate(panels, 1):
        axes = figure.add_subplot(rows, columns, number)
        draw_panel(axes, panel)
        if len(panels) > 1:
            axes.set_title(panel.title, fontsize=10, pad=28)
    return figure


def draw_panel(axes: Axes, panel: LayerPanel) -> None:
    """Draw one panel."""
    names = list(dict.fromkeys(name for line in panel.lines for name in line.layers))
    names.sort(key=lambda name: name in panel.apart)
    steps = [APART if name in panel.apart else 1.0 for name in names]
    places = dict(zip(names, np.cumsum(steps)))
    for line in panel.lines:
        _draw_line(axes, line, places, panel.apart)
    if panel.reference is not None:
        _draw_reference(axes, panel.reference)
    if panel.chance is not None:
        draw_level(axes, panel.chance, "chance", dashes=(1, 2))
    axes.set_xticks(list(places.values()), names)
    axes.grid(False, axis="x")
    axes.set(xlabel=pictures.LAYERS, ylabel=panel.ylabel)
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    if panel.percent:
        axes.yaxis.set_major_formatter(PERCENT)
    if panel.most:
        _share_axis(axes, panel.most)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=4, borderaxespad=0)


def _draw_line(
    axes: Axes, line: LayerLine, places: dict, apart: tuple[str, ...]
) -> None:
    """Connect the layers by a line; draw z and codes as single points."""
    x = np.array([places[name] for name in line.layers])
    alone = np.array([name in apart for name in line.layers])
    if not alone.all():
        axes.plot(x[~alone], line.values[~alone], color=line.colour, clip_on=False)
    axes.errorbar(
        x,
        line.values,
        np.maximum((line.values - line.lows, line.highs - line.values), 0.0),
        color=line.colour,
        label=line.label,
        linestyle="none",
        marker="o",
        markersize=3.5,
        elinewidth=1.2,
        capsize=2.5,
        clip_on=False,
    )


def _draw_reference(axes: Axes, line: LayerLine) -> None:
    draw_level(axes, line.values[0], line.label, line.colour)
    axes.axhspan(
        line.lows[0], line.highs[0], color=line.colour, alpha=0.15, linewidth=0
    )


def _share_axis(axes: Axes, most: float) -> None:
    right = axes.secondary_yaxis(
        "right", functions=(lambda bits: bits / most, lambda share: share * most)
    )
    right.yaxis.set_major_formatter(PERCENT)
    right.set_ylabel(f"share of all {most:.2f} bits")
