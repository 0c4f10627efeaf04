"""Audio files: any format libsndfile knows, one channel, one sampling rate."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from espnet_uniwav.io.output import atomic_write, check_output, file_of
from espnet_uniwav.io.samples import (
    UNKNOWN,
    Sound,
    check_finite,
    read_sound,
    read_times,
    to_mono,
    to_rate,
)
from espnet_uniwav.io.source import Entry, Source, Stretch, as_source

# Hz, of the data that the recipes prepare, and of the models that judge speech.
SAMPLE_RATE = 16000
# Hz; and the number of samples of all channels: 18 hours at 16 kHz.
RATES, MOST_SAMPLES = (1000, 768000), 2**30
# Largest sample. Some files go slightly beyond 1; unscaled integers go to 32768.
LOUDEST = 1000.0
ENCODED = 2**16
# Extension -> format and subtype of libsndfile.
FORMATS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}


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


def check_speech_output(path: str | Path) -> None:
    """Refuse a file that ``write_speech`` cannot write, before anything is computed.

    Raises:
        ValueError, OSError: Naming the path and what to do.
    """
    _format_of(path)
    check_output(path)


def write_speech(path: str | Path, speech: np.ndarray, sample_rate: int) -> None:
    """Write (S,) samples as the extension of the file says, see ``encode_speech``.

    Raises:
        ValueError: If a sample is NaN or infinite, or the extension is another one.
        OSError: If it cannot be written.
    """
    content = encode_speech(path, speech, sample_rate)
    with atomic_write(path, "wb") as file:
        file.write(content)


def encode_speech(path: str | Path, speech: np.ndarray, sample_rate: int) -> memoryview:
    """Encode (S,) samples as the extension of a name says, see ``FORMATS``.

    Wav and flac have 16 bits: samples of a 16-bit source stay equal.

    Raises:
        ValueError: As of ``write_speech``.
    """
    kind, subtype = _format_of(path)
    samples, content = to_int16(path, speech), io.BytesIO()
    form = dict(samplerate=sample_rate, channels=1, format=kind, subtype=subtype)
    try:
        with soundfile.SoundFile(content, "w", **form) as file:
            # Encoders of libsndfile fail at long blocks.
            for start in range(0, len(samples), ENCODED):
                file.write(samples[start : start + ENCODED])
    except soundfile.LibsndfileError as error:
        raise ValueError(
            f"{path}: cannot be written as {subtype} at {sample_rate} Hz ({error}); "
            "name a file that ends in .wav"
        ) from error
    return content.getbuffer()


def _format_of(path: str | Path) -> tuple[str, str]:
    """Format and subtype of an extension; without an extension those of wav."""
    usable = {end: own for end, own in FORMATS.items() if soundfile.check_format(*own)}
    end = Path(path).suffix.lower() or ".wav"
    if end not in usable:
        *most, last = usable
        raise ValueError(
            f"{path}: expected a name that ends in {', '.join(most)} or {last}, found "
            f"{end}"
        )
    return usable[end]


def to_int16(path: str | Path, speech: np.ndarray) -> np.ndarray:
    """Convert samples to 16 bits; those beyond 1 are clipped, with a warning.

    Samples of 16 bits stay as they are.

    Raises:
        ValueError: Naming the path to write, if a sample is NaN or infinite.
    """
    speech = np.asarray(speech)
    if speech.dtype == np.int16:
        return speech
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
        check_finite(samples)
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
