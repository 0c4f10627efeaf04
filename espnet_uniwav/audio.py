"""Audio files: any format libsndfile knows, one channel, one sampling rate."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile
import soxr

from espnet_uniwav.pipe import Pipe


def seconds_of(path: str | Path | Pipe) -> float:
    """Duration of an audio file in seconds, from its header; a command is run for it.

    Raises:
        FileNotFoundError, ValueError: If it is missing, no audio, or empty.
    """
    source = _open(path)
    try:
        info = soundfile.info(source)
    except soundfile.LibsndfileError as error:
        raise _not_audio(path, error) from error
    _check_samples(path, info.frames)
    return info.frames / info.samplerate


def read_speech(path: str | Path | Pipe, sample_rate: int) -> np.ndarray:
    """Read a file, mix its channels and resample it.

    Args:
        path: Audio file, or a command that prints one.
        sample_rate: Wanted rate (Hz).

    Returns:
        (S,) float32 samples in [-1, 1].

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no audio, is empty, or holds NaN or infinite samples; or
            if the command fails.
    """
    source = _open(path)
    try:
        samples, rate = soundfile.read(source, dtype="float32", always_2d=True)
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


def _open(path: str | Path | Pipe) -> str | io.BytesIO:
    """What soundfile reads: the path of an existing file, or what a command prints."""
    if isinstance(path, Pipe):
        try:
            return io.BytesIO(path.read())
        except ValueError as error:
            raise ValueError(f"{path}: {error}; try it in a shell") from error
    if not Path(path).is_file():
        name = str(path)
        fix = "check the path"
        if name.endswith("|"):
            command = name.rstrip("| ")
            fix = f"commands are run from a wav.scp alone: {command} > FILE.wav"
        raise FileNotFoundError(f"{path}: no such audio file; {fix}")
    return str(path)


def _check_samples(path: str | Path | Pipe, count: int) -> None:
    if not count:
        raise ValueError(f"{path}: expected audio, found 0 samples; record it again")


def _not_audio(path: str | Path | Pipe, error: Exception) -> ValueError:
    return ValueError(
        f"{path}: cannot be read as audio ({error}); convert it to wav or flac"
    )
