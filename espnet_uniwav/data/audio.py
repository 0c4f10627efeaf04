"""Audio files: any format libsndfile knows, one channel, one sampling rate."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from espnet_uniwav.data.samples import (
    UNKNOWN,
    Sound,
    read_sound,
    read_times,
    to_mono,
    to_rate,
)
from espnet_uniwav.data.source import Entry, Source, Stretch, as_source
from espnet_uniwav.files.output import file_of, whole_file

# Hz; and the number of samples of all channels: 18 hours at 16 kHz.
RATES, MOST_SAMPLES = (1000, 768000), 2**30
# Largest sample. Some files go slightly beyond 1; unscaled integers go to 32768.
LOUDEST = 1000.0


def seconds_of(path: str | Source) -> float:
    """Duration of a recording in seconds, from its header; a command is run for it.

    Raises:
        FileNotFoundError, ValueError: As of ``read_speech``.
    """
    source = _find(path)
    with _named(path):
        count, rate = read_times(source, _check_header(source), MOST_SAMPLES)
        _check_count(source, count)
    return count / rate


def rate_of(path: str | Source) -> int:
    """Samples per second (Hz) of a recording; errors as of ``read_speech``."""
    source = _find(path)
    with _named(path):
        return read_times(source, _check_header(source), MOST_SAMPLES)[1]


def read_speech(path: str | Source, sample_rate: int) -> np.ndarray:
    """Read a recording, mix its channels and resample it.

    Of a damaged one what is there is read. Samples beyond 1 are scaled down. Of
    channels that cancel each other one is used. All of these give a warning.

    Args:
        path: Audio file or pipe; or what a table names: a command that prints audio, an
            entry of a Kaldi archive, a stretch of any of these.
        sample_rate: Wanted rate (Hz).

    Returns:
        (S,) float32 samples in [-1, 1].

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no audio, is empty, has a rate or length that no speech
            has, or holds NaN, infinite or huge samples; or if the command fails.
    """
    sound = _read(path)
    speech, mixed = to_mono(sound.samples)
    speech, scaled = to_rate(speech, sound.rate, sample_rate)
    for note in {**sound.notes, **mixed, **scaled}.values():
        logging.warning("%s: %s", path, note)
    return speech


def as_file(path: Source, folder: Path, name: str) -> Path:
    """Where ``read_speech`` finds a recording that only a table can name otherwise.

    A command's output or a stretch is written to the folder as NAME.wav.
    """
    if isinstance(path, (Path, Entry)):
        return Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    file, rate = file_of(folder.absolute(), name, ".wav"), rate_of(path)
    write_speech(file, read_speech(path, rate), rate)
    return file


def write_speech(path: str | Path, speech: np.ndarray, sample_rate: int) -> None:
    """Write (S,) samples as 16-bit wav; samples of a 16-bit source stay equal.

    Raises:
        ValueError: If a sample is NaN or infinite.
    """
    samples = to_int16(path, speech)
    content = io.BytesIO()
    soundfile.write(content, samples, sample_rate, subtype="PCM_16", format="WAV")
    with whole_file(path, "wb") as file:
        file.write(content.getbuffer())


def to_int16(path: str | Path, speech: np.ndarray) -> np.ndarray:
    """Convert samples to 16 bits; those beyond 1 are clipped, with a warning.

    Raises:
        ValueError: Naming the path to write, if a sample is NaN or infinite.
    """
    speech = np.asarray(speech)
    if not np.isfinite(speech).all():
        raise ValueError(
            f"{path}: nothing was written: the model generated NaN or infinite samples"
        )
    if over := int((np.abs(speech) > 1).sum()):
        text = "%s: %d of %d samples are beyond 1: they are clipped"
        logging.warning(text, path, over, speech.size)
    return (speech * 32768).round().clip(-32768, 32767).astype(np.int16)


def _read(path: str | Source) -> Sound:
    """All samples of a recording, which are plausible."""
    source = _find(path)
    with _named(path):
        sound = read_sound(source, _check_header(source), MOST_SAMPLES)
        samples = sound.samples
        _check_count(source, len(samples), damaged=bool(sound.notes))
        if samples.size > MOST_SAMPLES:
            raise _too_long("more")
        if not np.isfinite(samples).all():
            count = int((~np.isfinite(samples)).sum())
            raise ValueError(
                f"expected finite samples, found {count} NaN or infinite ones; "
                "write the file again without them"
            )
        if (peak := float(np.abs(samples).max())) > LOUDEST:
            raise ValueError(
                f"expected samples from -1 to 1, found {peak:g}; scale them"
            )
    return sound


@contextmanager
def _named(path: str | Source) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _check_header(source: Source):
    """A check of a header; only a stretch may be one of a longer recording."""

    def check(file: soundfile.SoundFile) -> None:
        if not RATES[0] <= file.samplerate <= RATES[1]:
            raise ValueError(
                f"expected {RATES[0]} to {RATES[1]} samples per second, found "
                f"{file.samplerate}; correct the header"
            )
        count = 0 if file.frames == UNKNOWN else file.frames * file.channels
        if count > MOST_SAMPLES and not isinstance(source, Stretch):
            raise _too_long(f"{count} in the header")

    return check


def _too_long(found: str) -> ValueError:
    return ValueError(
        f"expected at most {MOST_SAMPLES} samples, found {found}; cut the file into "
        "utterances"
    )


def _find(path: str | Source) -> Source:
    """The recording of a path; a file must be there."""
    source = as_source(path)
    file = source.recording if isinstance(source, Stretch) else source
    if isinstance(file, Path) and not file.is_file():
        name, fix = str(file), "check the path"
        if name.endswith("|"):
            command = name.rstrip("| ")
            fix = f"commands are only run from a wav.scp: {command} > FILE.wav"
        raise FileNotFoundError(f"{file}: no such audio file; {fix}")
    return source


def _check_count(source: Source, count: int, damaged: bool = False) -> None:
    if count:
        return
    fix = "the file is damaged: copy it again" if damaged else "record it again"
    if isinstance(source, Stretch):
        seconds = seconds_of(source.recording)
        fix = f"the recording lasts {seconds:.2f} s: correct segments"
    raise ValueError(f"expected audio, found 0 samples; {fix}")
