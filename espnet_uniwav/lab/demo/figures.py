"""Pictures of the analysis, as HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from espnet_uniwav.apps.phones.ctm import SILENCE, Segment
from espnet_uniwav.lab.report import pictures

WIDTH, HEIGHT_OF_ROW = 5.6, 0.45
FIGURE = (
    '<figure style="margin:0 0 .8em"><figcaption>{title}</figcaption>'
    '<img src="{uri}" alt="{title}" style="width:100%;max-width:560px"></figure>'
)
PIXELS_PER_SECOND = 350
PHONES = (
    '<figure style="margin:0 0 .8em"><figcaption>Phones of the first sentence, as wide '
    'as they are long</figcaption><div style="display:flex;flex-wrap:wrap;row-gap:2px;'
    'font-size:.68em;line-height:2;color:var(--body-text-color)">{boxes}</div>'
    "</figure>"
)
PHONE = (
    '<span title="{label}: {milliseconds} ms" style="box-sizing:border-box;'
    "flex:0 0 {pixels:.1f}px;text-align:center;overflow:hidden;"
    "border-left:1px solid var(--color-accent);"
    'background:var(--background-fill-secondary)">{text}</span>'
)


def figure(title: str, uri: str) -> str:
    """A picture under its title; ``uri`` is a ``data:`` address."""
    return FIGURE.format(title=html.escape(title), uri=uri)


def spectrograms(
    versions: dict[str, tuple[np.ndarray, pictures.Spans]], rate: int
) -> str:
    """Spectrograms relative to the peak of the first, see ``pictures.spectrograms``."""
    drawn = pictures.spectrograms(versions, rate)
    return "".join(figure(title, uri) for title, uri in drawn.items())


def phone_row(phones: Sequence[Segment]) -> str:
    """Phones as boxes as wide as they are long; silences are empty."""
    boxes = "".join(
        PHONE.format(
            milliseconds=round(1000 * own.duration),
            pixels=PIXELS_PER_SECOND * own.duration,
            label=html.escape(own.label),
            text="" if own.label == SILENCE else html.escape(own.label),
        )
        for own in phones
    )
    return PHONES.format(boxes=boxes)


@pictures.styled
def code_rows(codes: np.ndarray, frame_rate: float, codebook_size: int) -> str:
    """Draw a row of cells for every codebook; equal codes have equal colours.

    Args:
        codes: (K, T).
        frame_rate: Frames per second.
        codebook_size: V.

    Returns:
        A ``data:`` address of a PNG.
    """
    count, frames = codes.shape
    size = WIDTH, 0.6 + HEIGHT_OF_ROW * count
    drawn = Figure(figsize=size, layout="constrained")
    axes = drawn.subplots()
    axes.imshow(
        codes,
        aspect="auto",
        cmap="turbo",
        vmin=0,
        vmax=codebook_size - 1,
        extent=(0.0, frames / frame_rate, count + 0.5, 0.5),
        interpolation="nearest",
    )
    axes.grid(False)
    axes.set_yticks(range(1, count + 1))
    axes.set(xlabel="seconds", ylabel="codebook")
    return pictures.to_data_uri(drawn, "png")
