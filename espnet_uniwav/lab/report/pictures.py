"""Style of all pictures, and log-mel spectrograms.

Pictures have no background and grey text, so that they are legible on light and dark
pages. Line colours are from Okabe and Ito, safe for colour-blind readers.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
import soundfile
import torch
from matplotlib.figure import Figure
from torchaudio.transforms import MelSpectrogram

from espnet_uniwav.io.output import atomic_write
from espnet_uniwav.lab.report.page import Clip

GREY = "#7d7f85"
BLUE, ORANGE, GREEN, RED, PURPLE, SKY = (
    "#0a7fc2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#cc79a7",
    "#56b4e9",
)
STYLE = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "text.color": GREY,
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GREY,
    "grid.alpha": 0.22,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.handlelength": 1.4,
    "svg.hashsalt": "uniwav",
}
# Decorator of drawing functions: applies the style.
styled = matplotlib.rc_context(STYLE)
DPI = 200  # Twice what a screen shows.
NUM_MELS, FFT_SIZE, HOP_SECONDS = 80, 1024, 0.010
DECIBELS = 70.0
HZ_TICKS = (0, 500, 1000, 2000, 4000, 8000)
Spans = list[tuple[float, float]]
# Left, bottom, width and height of a spectrogram's axes, the same within a row.
PLACE = (0.135, 0.185, 0.825, 0.735)


@styled
def to_data_uri(figure: Figure, kind: str = "svg") -> str:
    """The picture as a ``data:`` address.

    Args:
        figure: A matplotlib figure.
        kind: ``svg`` for lines and bars, ``png`` for images.
    """
    buffer = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else {}
    figure.savefig(buffer, format=kind, dpi=DPI, transparent=True, metadata=metadata)
    mime = {"svg": "image/svg+xml", "png": "image/png"}[kind]
    return _data_uri(mime, buffer.getvalue())


def save_png(figure: Figure, path: Path) -> None:
    """Write the picture to a PNG file, on white."""
    with atomic_write(path, "wb") as file:
        figure.savefig(file, format="png", dpi=DPI, facecolor="white")


def audio_data_uri(speech: np.ndarray, sample_rate: int) -> str:
    """(S,) samples in [-1, 1] as a ``data:`` address of 16-bit FLAC."""
    buffer = io.BytesIO()
    speech = np.clip(speech, -1.0, 1.0)
    soundfile.write(buffer, speech, sample_rate, format="FLAC", subtype="PCM_16")
    return _data_uri("audio/flac", buffer.getvalue())


def mel_decibels(speech: np.ndarray, sample_rate: int) -> np.ndarray:
    """(S,) samples to (80, frames) mel magnitudes in dB, 100 frames per second.

    The same for every feature space, so that pictures of models can be compared.
    """
    transform = MelSpectrogram(
        sample_rate,
        n_fft=FFT_SIZE,
        hop_length=round(HOP_SECONDS * sample_rate),
        n_mels=NUM_MELS,
        power=1.0,
        norm="slaney",
    )
    mel = transform(torch.as_tensor(speech, dtype=torch.float32))
    return 20.0 * np.log10(np.maximum(mel.numpy(), 1e-6))


def spectrograms(
    versions: Mapping[str, tuple[np.ndarray, Spans]],
    sample_rate: int,
    loudest: str | None = None,
) -> dict[str, str]:
    """Draw log-mel spectrograms with the same colours.

    Args:
        versions: Title -> samples (S,), and masked (start, end) in seconds, drawn as
            bars above the picture.
        sample_rate: Samples per second.
        loudest: Title of the version whose peak is the brightest colour; the darkest
            is 70 dB below. None: the first.

    Returns:
        Title -> ``data:`` address of a PNG.
    """
    decibels = {
        title: mel_decibels(speech, sample_rate)
        for title, (speech, _) in versions.items()
    }
    peak = decibels[loudest or next(iter(versions))].max()
    return {
        title: _draw_mel(decibels[title] - peak, len(speech), sample_rate, spans)
        for title, (speech, spans) in versions.items()
    }


def make_clips(
    versions: Mapping[str, tuple[np.ndarray, Spans]],
    sample_rate: int,
    loudest: str | None = None,
) -> list[Clip]:
    """Players with their spectrograms; arguments as of ``spectrograms``."""
    drawn = spectrograms(versions, sample_rate, loudest)
    return [
        Clip(title, audio_data_uri(speech, sample_rate), drawn[title])
        for title, (speech, _) in versions.items()
    ]


@styled
def _draw_mel(decibels: np.ndarray, samples: int, rate: int, spans: Spans) -> str:
    figure = Figure(figsize=(3.6, 2.4))
    axes = figure.add_axes(PLACE)
    seconds, top = samples / rate, _hz_to_mel(rate / 2)
    axes.imshow(
        decibels,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=-DECIBELS,
        vmax=0.0,
        extent=(0.0, seconds, 0.0, top),
        interpolation="nearest",
    )
    for start, end in spans:
        axes.axvspan(start, end, 1.015, 1.06, color=ORANGE, linewidth=0, clip_on=False)
        for edge in (start, end):
            axes.axvline(edge, color="white", linewidth=0.4, alpha=0.5)
    ticks = {f"{hz / 1000:g}": _hz_to_mel(hz) for hz in HZ_TICKS if hz <= rate / 2}
    axes.set_yticks(list(ticks.values()), list(ticks))
    axes.grid(False)
    axes.set(
        xlim=(0, seconds), ylim=(0, top), xlabel="seconds", ylabel="kHz (mel scale)"
    )
    return to_data_uri(figure, "png")


def _hz_to_mel(hz: float) -> float:
    return 2595.0 * np.log10(1.0 + hz / 700.0)


def _data_uri(mime: str, content: bytes) -> str:
    return f"data:{mime};base64,{base64.b64encode(content).decode('ascii')}"
