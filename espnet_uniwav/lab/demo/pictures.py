"""Pictures of the analysis, as HTML."""

from __future__ import annotations

import html

import numpy as np

from espnet_uniwav.lab.report.pictures import mel_decibels, spectrogram

Spans = list[tuple[float, float]]
FIGURE = (
    '<figure style="margin:0 0 .8em"><figcaption>{title}</figcaption>'
    '<img src="{uri}" alt="{title}" style="width:100%;max-width:560px"></figure>'
)


def figure(title: str, uri: str) -> str:
    """A picture under its title; ``uri`` is a ``data:`` address."""
    return FIGURE.format(title=html.escape(title), uri=uri)


def spectrograms(versions: dict[str, tuple[np.ndarray, Spans]], rate: int) -> str:
    """Spectrograms with the same colours, relative to the peak of the first.

    Args:
        versions: Title -> samples (S,), and spans in seconds that are marked.
        rate: Samples per second.
    """
    first, _ = next(iter(versions.values()))
    peak = float(mel_decibels(first, rate).max())
    return "".join(
        figure(title, spectrogram(speech, rate, peak, spans))
        for title, (speech, spans) in versions.items()
    )
