"""Charts of the report: curves over training steps, and layer weights."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.ticker import MaxNLocator

from espnet_uniwav.lab.report import pictures

WIDE, SMALL = (5.6, 2.9), (3.7, 2.4)
Series = tuple[np.ndarray, np.ndarray]


@dataclass
class Line:
    """One line of a chart.

    Attributes:
        label: Its name in the legend.
        series: (steps, values); values that are not finite leave a gap.
        colour: A matplotlib colour.
        marked: True to mark every point.
    """

    label: str
    series: Series
    colour: str
    marked: bool = False


@pictures.styled
def chart(
    lines: list[Line],
    ylabel: str,
    reference: tuple[float, str] | None = None,
    percent: bool = False,
    from_zero: bool = False,
    small: bool = False,
) -> str:
    """Draw lines over training steps.

    Args:
        lines: Lines to draw.
        ylabel: Name and unit of the vertical axis.
        reference: Value and name of a dashed reference line.
        percent: Whether values are shares of one, shown in percent.
        from_zero: Whether the vertical axis begins at zero.
        small: Whether the chart takes a third of the page's width.

    Returns:
        A ``data:`` address of an SVG.
    """
    figure, axes = pictures.new_figure(*(SMALL if small else WIDE))
    for line in lines:
        _draw(axes, line)
    if reference:
        pictures.draw_level(axes, *reference)
    if percent:
        axes.yaxis.set_major_formatter(pictures.PERCENT)
    if from_zero:
        axes.set_ylim(0.0, None if axes.dataLim.ymax > 0 else 1.0)
    axes.xaxis.set_major_locator(MaxNLocator(5 if small else 7, integer=True))
    axes.set(xlabel="training step", ylabel=ylabel)
    if len(lines) + bool(reference) > 1:
        _legend(axes)
    return pictures.to_data_uri(figure)


@pictures.styled
def weight_bars(weights: np.ndarray) -> str:
    """Draw the weight of every state in z; state 0 is the encoder's input.

    Args:
        weights: (num_layers + 1,) shares that sum to one.
    """
    figure, axes = pictures.new_figure(*WIDE)
    axes.bar(np.arange(len(weights)), weights, color=pictures.BLUE, width=0.7)
    pictures.draw_level(axes, 1.0 / len(weights), "equal shares")
    axes.yaxis.set_major_formatter(pictures.PERCENT)
    axes.xaxis.set_major_locator(MaxNLocator(13, integer=True))
    axes.grid(False, axis="x")
    axes.legend(loc="best")
    axes.set(xlabel=pictures.LAYERS, ylabel="share in z")
    return pictures.to_data_uri(figure)


def codebook_colours(num_codebooks: int) -> list:
    """Colours in the order of the layers, from dark to light."""
    places = np.linspace(0.32, 0.87, max(num_codebooks, 1))
    return [matplotlib.colormaps["plasma"](place) for place in places]


def _draw(axes, line: Line) -> None:
    steps, values = line.series
    values = np.where(np.isfinite(values), values, np.nan)
    lonely = len(steps) == 1
    axes.plot(
        steps,
        values,
        color=line.colour,
        label=line.label,
        marker="o" if line.marked or lonely else None,
        markersize=3.5,
        linewidth=1.8 if line.marked else 1.3,
        clip_on=False,
    )


def _legend(axes) -> None:
    if len(axes.get_lines()) <= 3:
        axes.legend(loc="best")
    else:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), labelspacing=0.3)
