"""Pictures of the analysis, as HTML."""

from __future__ import annotations

import html

import numpy as np

from espnet_uniwav.lab.report import pictures

WIDTH, HEIGHT_OF_ROW = 5.6, 0.45
FIGURE = (
    '<figure style="margin:0 0 .8em"><figcaption>{title}</figcaption>'
    '<img src="{uri}" alt="{title}" style="width:100%;max-width:560px"></figure>'
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
    figure, axes = pictures.new_figure(WIDTH, 0.6 + HEIGHT_OF_ROW * count)
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
    return pictures.to_data_uri(figure, "png")
