"""Line charts: curves over training steps, and measures over layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from espnet_uniwav.lab.report.pictures import BLUE, GREY, styled

SIZE = 4.8, 3.0
INCHES_OF_LABEL = 1.4
PERCENT = FuncFormatter(lambda share, _: f"{100 * share:.6g} %")
LAYERS = "layer (0 is the input of the first)"


@dataclass
class Line:
    """One line of a chart.

    Attributes:
        label: Its name in the legend; empty: none.
        y: (N,) values; those that are not finite leave a gap.
        x: (N,) places; empty: y is one level, drawn as a dashed line.
        colour: A matplotlib colour.
        interval: (2, N) lower and upper limits; None: none is drawn.
        marked: Mark every point.
    """

    label: str
    y: Sequence[float]
    x: Sequence[float] = ()
    colour: str = GREY
    interval: np.ndarray | None = None
    marked: bool = False


@dataclass
class Chart:
    """Lines over a horizontal axis.

    Attributes:
        ylabel: Name and unit of the vertical axis.
        lines: To draw.
        xlabel: Name of the horizontal axis.
        ticks: Names of the places 0, 1, ... of x; empty: x is a number.
        percent: Values are shares of one, shown in percent.
    """

    ylabel: str
    lines: list[Line]
    xlabel: str = "training step"
    ticks: Sequence[str] = ()
    percent: bool = False


@styled
def draw_charts(
    charts: Sequence[Chart], size: tuple[float, float] = SIZE, log_x: bool = False
) -> Figure:
    """Draw charts in rows of two, each of a width and height in inches."""
    columns = min(len(charts), 2)
    rows = -(-len(charts) // columns)
    width, height = size
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    for number, chart in enumerate(charts, 1):
        axes = figure.add_subplot(rows, columns, number)
        _draw_chart(axes, chart, width)
        if log_x:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
            axes.xaxis.set_minor_locator(NullLocator())
    return figure


def layer_weights_chart(weights: np.ndarray) -> Chart:
    """Shares (num_layers + 1,) of every state in z; state 0 is the encoder's input."""
    shares = Line("shares", weights, range(len(weights)), BLUE, marked=True)
    equal = Line("equal shares", [1 / len(weights)])
    return Chart("share in z", [shares, equal], LAYERS, percent=True)


def codebook_colours(num_codebooks: int) -> np.ndarray:
    """Colours in the order of the layers, from dark to light."""
    return matplotlib.colormaps["plasma"](np.linspace(0.32, 0.87, num_codebooks))


def _draw_chart(axes: Axes, chart: Chart, width: float) -> None:
    for line in chart.lines:
        _draw_line(axes, line)
    if chart.percent:
        axes.yaxis.set_major_formatter(PERCENT)
    low, high = axes.dataLim.intervaly
    if low >= 0 and (chart.percent or low <= high / 2):
        axes.set_ylim(0.0, None if high > 0 else 1.0)
    if chart.ticks:
        axes.set_xticks(range(len(chart.ticks)), chart.ticks)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set(xlabel=chart.xlabel, ylabel=chart.ylabel)
    if sum(bool(line.label) for line in chart.lines) > 1:
        above = dict(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0)
        axes.legend(ncols=int(width / INCHES_OF_LABEL), **above)


def _draw_line(axes: Axes, line: Line) -> None:
    y = np.where(np.isfinite(line.y), line.y, np.nan)
    if not len(line.x):
        axes.axhline(y[0], color=line.colour, linestyle="--", label=line.label)
        if line.interval is not None:
            axes.axhspan(*line.interval[:, 0], color=line.colour, alpha=0.15, lw=0)
        return
    errors = None
    if line.interval is not None:
        errors = np.maximum([y - line.interval[0], line.interval[1] - y], 0.0)
    axes.errorbar(
        line.x,
        y,
        errors,
        color=line.colour,
        label=line.label,
        marker="o" if line.marked or len(y) == 1 else None,
        markersize=3.5,
        capsize=2.5,
        clip_on=False,
    )
