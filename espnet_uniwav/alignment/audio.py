"""Audio files as an aligner reads them: one channel, one sampling rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile


def seconds_of(path: str | Path) -> float:
    """Duration of an audio file in seconds, from its header.

    Raises:
        OSError, ValueError: If it is missing, no audio, or empty.
    """
    _check_exists(path)
    try:
        info = soundfile.info(str(path))
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{path}: cannot be read as audio ({error})") from error
    if not info.frames:
        raise ValueError(f"{path}: expected audio, found 0 samples")
    return info.frames / info.samplerate


def read_mono(path: str | Path, sample_rate: int) -> np.ndarray:
    """Read a file, mix its channels and resample it.

    Args:
        path: Audio file.
        sample_rate: Wanted rate (Hz).

    Returns:
        (S,) float32 samples in [-1, 1].

    Raises:
        OSError, ValueError: If it is missing, no audio, empty, or not finite.
    """
    _check_exists(path)
    try:
        samples, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{path}: cannot be read as audio ({error})") from error
    if not len(samples):
        raise ValueError(f"{path}: expected audio, found 0 samples")
    if not np.isfinite(samples).all():
        raise ValueError(f"{path}: expected finite samples, found NaN or infinite ones")
    speech = samples.mean(axis=1)
    if rate == sample_rate:
        return speech
    import soxr

    return soxr.resample(speech, rate, sample_rate)


def _check_exists(path: str | Path) -> None:
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such audio file")
