"""The pitch of recordings, by WORLD."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context

import numpy as np
import torch
from torch import Tensor

from espnet_uniwav.apps.vocoder.harmonics import HIGHEST, LOWEST


def measure_pitch(
    audio: Tensor, sample_rate: int, hop: int, frames: int, workers: int = 0
) -> Tensor:
    """Pitch by WORLD's DIO and StoneMask (Morise 2016), on the CPU.

    Args:
        audio: (B, S) samples.
        sample_rate: Hz.
        hop: Samples between frames; the first is at sample 0.
        frames: Their number N.
        workers: Processes that do the work; 0: this one.

    Returns:
        (B, N) Hz; 0 where there is no voice.
    """
    measure = partial(_measure, sample_rate=sample_rate, hop=hop, frames=frames)
    rows = audio.detach().double().cpu().numpy()
    pitches = list((_pool(workers).map if workers else map)(measure, rows))
    return torch.from_numpy(np.stack(pitches)).to(audio)


@cache
def _pool(workers: int) -> ProcessPoolExecutor:
    # Not forked: this process may hold a GPU.
    return ProcessPoolExecutor(workers, get_context("spawn"))


def _measure(audio: np.ndarray, sample_rate: int, hop: int, frames: int) -> np.ndarray:
    """Pitch (frames,) of samples (S,)."""
    import pyworld

    raw, times = pyworld.dio(
        audio, sample_rate, LOWEST, HIGHEST, frame_period=1000 * hop / sample_rate
    )
    pitch = pyworld.stonemask(audio, raw, times, sample_rate)[:frames]
    return np.pad(pitch, (0, frames - len(pitch)))
