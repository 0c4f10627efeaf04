"""Audio files: any format libsndfile knows, one channel, one sampling rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import soxr


def seconds_of(path: str | Path) -> float:
    """Duration of an audio file in seconds, from its header.

    Raises:
        FileNotFoundError, ValueError: If it is missing, no audio, or empty.
    """
    _check_exists(path)
    try:
        info = soundfile.info(str(path))
    except soundfile.LibsndfileError as error:
        raise _not_audio(path, error) from error
    _check_samples(path, info.frames)
    return info.frames / info.samplerate


def read_speech(path: str | Path, sample_rate: int) -> np.ndarray:
    """Read a file, mix its channels and resample it.

    Args:
        path: Audio file.
        sample_rate: Wanted rate (Hz).

    Returns:
        (S,) float32 samples in [-1, 1].

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no audio, is empty, or holds NaN or infinite samples.
    """
    _check_exists(path)
    try:
        samples, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise _not_audio(path, error) from error
    _check_samples(path, len(samples))
    if not np.isfinite(samples).all():
        count = int((~np.isfinite(samples)).sum())
        raise ValueError(
            f"{path}: expected finite samples, found {count} NaN or infinite ones; "
            "write the file again without them"
        )
    return resample(samples.mean(axis=1), rate, sample_rate)


def resample(speech: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Samples (S,) at one rate (Hz) to samples at a wanted one; equal: untouched."""
    return speech if rate == wanted else soxr.resample(speech, rate, wanted)


def write_speech(path: str | Path, speech: np.ndarray, sample_rate: int) -> None:
    """Write (S,) samples as 16-bit wav; samples of a 16-bit source stay equal."""
    samples = (np.asarray(speech) * 32768).round().clip(-32768, 32767).astype(np.int16)
    soundfile.write(path, samples, sample_rate, subtype="PCM_16", format="WAV")


def _check_exists(path: str | Path) -> None:
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such audio file; check the path")


def _check_samples(path: str | Path, count: int) -> None:
    if not count:
        raise ValueError(f"{path}: expected audio, found 0 samples; record it again")


def _not_audio(path: str | Path, error: Exception) -> ValueError:
    return ValueError(
        f"{path}: cannot be read as audio ({error}); convert it to wav or flac"
    )
