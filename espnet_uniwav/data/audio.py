"""Audio files: any format libsndfile knows, one channel, one sampling rate."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
import soxr

from espnet_uniwav.data.pipe import Pipe
from espnet_uniwav.files.output import check_output, whole_file

# Hz; and the number of samples of all channels: 18 hours at 16 kHz.
RATES, MOST_SAMPLES = (1000, 768000), 2**30
# Largest sample. Some files go slightly beyond 1; unscaled integers go to 32768.
LOUDEST = 1000.0
BLOCK, ENCODED = 2**20, 2**16
# Extension -> format and subtype of libsndfile.
FORMATS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
# libsndfile's note about a truncated wav file (bytes). A program that does not know the
# length in advance writes about the largest number.
SHORTER = re.compile(r"data : (\d+) \(should be (\d+)\)")
STREAMED = 2**31 - 2**16


def seconds_of(path: str | Path | Pipe) -> float:
    """Duration of an audio file in seconds, from its header; a command is run for it.

    Raises:
        FileNotFoundError, ValueError: As of ``read_speech``.
    """
    with _opened(path) as file:
        return file.frames / file.samplerate


def read_speech(path: str | Path | Pipe, sample_rate: int) -> np.ndarray:
    """Read a file, mix its channels and resample it.

    Args:
        path: Audio file, or a command that prints one.
        sample_rate: Wanted rate (Hz).

    Returns:
        (S,) float32 samples in [-1, 1].

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no audio, is empty, has a rate or length that no speech
            has, or holds NaN, infinite or huge samples; or if the command fails.

    A truncated file is read to its end, with a warning.
    """
    with _opened(path) as file:
        blocks = [block for block in _blocks(file) if len(block)]
        promised, rate = _promised(file), file.samplerate
    samples = np.concatenate(blocks or [np.zeros((0, 1), np.float32)])
    _check_samples(path, len(samples))
    if len(samples) < promised:
        logging.warning(
            "%s: is cut off: its header says %d samples, found %d",
            path,
            promised,
            len(samples),
        )
    if not np.isfinite(samples).all():
        count = int((~np.isfinite(samples)).sum())
        raise ValueError(
            f"{path}: expected finite samples, found {count} NaN or infinite ones; "
            "write the file again without them"
        )
    if (peak := float(np.abs(samples).max())) > LOUDEST:
        raise ValueError(
            f"{path}: expected samples from -1 to 1, found {peak:g}; scale them"
        )
    return resample(samples.mean(axis=1), rate, sample_rate)


def resample(speech: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Resample (S,) samples to the wanted rate (Hz); no change if rates are equal."""
    return speech if rate == wanted else soxr.resample(speech, rate, wanted)


def check_speech_output(path: str | Path) -> None:
    """Refuse a file that ``write_speech`` cannot write, before anything is computed.

    Raises:
        ValueError, OSError: Naming the path and what to do.
    """
    _format_of(path)
    check_output(path)


def write_speech(path: str | Path, speech: np.ndarray, sample_rate: int) -> None:
    """Write (S,) samples as the extension of the file says, see ``FORMATS``.

    Wav and flac have 16 bits: samples of a 16-bit source stay equal.

    Raises:
        ValueError: If a sample is NaN or infinite, or the extension is another one.
        OSError: If it cannot be written.
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
    with whole_file(path, "wb") as file:
        file.write(content.getbuffer())


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
    """Convert samples from -1 to 1 to 16 bits; those of 16 bits stay as they are.

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
    return (speech * 32768).round().clip(-32768, 32767).astype(np.int16)


@contextmanager
def _opened(path: str | Path | Pipe) -> Iterator[soundfile.SoundFile]:
    """Open a file and check its header; libsndfile's errors become ValueErrors."""
    source = _source(path)
    try:
        with soundfile.SoundFile(source) as file:
            _check_samples(path, file.frames)
            _check_header(path, file)
            yield file
    except soundfile.LibsndfileError as error:
        raise _not_audio(path, error) from error


def _check_header(path: str | Path | Pipe, file: soundfile.SoundFile) -> None:
    if not RATES[0] <= file.samplerate <= RATES[1]:
        raise ValueError(
            f"{path}: expected {RATES[0]} to {RATES[1]} samples per second, found "
            f"{file.samplerate}; correct the header"
        )
    if (count := file.frames * file.channels) > MOST_SAMPLES:
        raise ValueError(
            f"{path}: expected at most {MOST_SAMPLES} samples, the header says "
            f"{count}; cut the file into utterances"
        )


def _blocks(file: soundfile.SoundFile) -> Iterator[np.ndarray]:
    """Read blocks (S, C) to the end, so that no memory is reserved by the header."""
    while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
        yield block


def _promised(file: soundfile.SoundFile) -> int:
    """Samples according to the header, also if libsndfile found the file shorter."""
    if not (found := SHORTER.search(file.extra_info)):
        return file.frames
    promised, held = (int(size) for size in found.groups())
    streamed = not 0 < promised < STREAMED
    return file.frames if streamed else file.frames * promised // max(held, 1)


def _source(path: str | Path | Pipe) -> str | io.BytesIO:
    """Input for soundfile: path of an existing file, or the output of a command."""
    if isinstance(path, Pipe):
        try:
            return io.BytesIO(path.read())
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    if not Path(path).is_file():
        name = str(path)
        fix = "check the path"
        if name.endswith("|"):
            command = name.rstrip("| ")
            fix = f"commands are only run from a wav.scp: {command} > FILE.wav"
        raise FileNotFoundError(f"{path}: no such audio file; {fix}")
    return str(path)


def _check_samples(path: str | Path | Pipe, count: int) -> None:
    if not count:
        raise ValueError(f"{path}: expected audio, found 0 samples; record it again")


def _not_audio(path: str | Path | Pipe, error: Exception) -> ValueError:
    return ValueError(
        f"{path}: cannot be read as audio ({error}); convert it to wav or flac"
    )
