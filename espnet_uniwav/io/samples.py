"""What libsndfile decodes of a recording: all samples, also of a damaged one."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from espnet_uniwav.io.source import Source, Stretch
from espnet_uniwav.io.wav_header import repair_wav

BLOCK, SALVAGE_BLOCK = 1 << 16, 1 << 11
# libsndfile's length (samples) of a flac stream, whose header does not say it.
UNKNOWN = 2**63 - 1
# libsndfile's note about a truncated wav file (bytes). A program that does not know the
# length in advance writes about the largest number.
SHORTER = re.compile(r"data : (\d+) \(should be (\d+)\)")
STREAMED = 2**31 - 2**16
# How files begin that libsndfile knows: what it cannot read of them is damaged.
KNOWN = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"FORM", b"NIST")
# Seconds by which a stretch may end after its recording: tables round times.
TOLERANCE = 0.1
# Share of the power of a mix below which its channels cancel each other (20 dB).
CANCELLED = 0.01

Check = Callable[[soundfile.SoundFile], None]
Notes = dict[str, str]


class NotAudio(ValueError):
    """A recording cannot be decoded; the message says why, and what to do."""


@dataclass(frozen=True)
class Sound:
    """A recording, or a stretch of one.

    Attributes:
        samples: (S, C) float32.
        rate: Hz.
        format: Of the file, as libsndfile calls it.
        notes: What was damaged and what was done, by short names.
    """

    samples: np.ndarray
    rate: int
    format: str
    notes: Notes


def read_sound(source: Source, check: Check, most: int = UNKNOWN) -> Sound:
    """Decode a recording to its end, or as far as it is sound.

    Args:
        source: Recording.
        check: Raises an error about a header.
        most: Samples of all channels after which to stop.

    Raises:
        NotAudio, ValueError, OSError: If nothing can be decoded.
    """
    file = _File(source)
    sound, broken = _decode(file, check, most, salvage=False)
    if not broken:
        return sound
    salvaged, _ = _decode(file, check, most, salvage=True)
    return max(sound, salvaged, key=lambda found: len(found.samples))


def read_times(source: Source, check: Check, most: int = UNKNOWN) -> tuple[int, int]:
    """Samples and rate (Hz) of a recording, from its header if that says them.

    Args and errors are those of ``read_sound``.
    """
    file = _File(source)
    with file.open() as opened:
        check(opened)
        if opened.frames != UNKNOWN:
            first, last = file.span(opened.samplerate, opened.frames)
            return max(min(last, opened.frames) - first, 0), opened.samplerate
    sound = read_sound(source, check, most)
    return len(sound.samples), sound.rate


def check_finite(samples: np.ndarray) -> None:
    """Refuse NaN and infinite samples with a ValueError that counts them."""
    if count := int(np.count_nonzero(~np.isfinite(samples))):
        raise ValueError(
            f"expected finite samples, found {count} NaN or infinite ones; write the "
            "file again without them"
        )


def to_mono(samples: np.ndarray) -> tuple[np.ndarray, Notes]:
    """Mix channels; opposite ones would cancel each other, so one of them is used.

    Args:
        samples: (S, C).

    Returns:
        (S,) samples, and a note if it is one channel.
    """
    mixed, count = samples.mean(axis=1), samples.shape[1]
    if count == 1:
        return mixed, {}
    power = np.array([_power(own) for own in samples.T])
    if _power(mixed) >= CANCELLED * power.max() / count**2:
        return mixed, {}
    loudest = int(np.argmax(power > 0.99 * power.max()))
    said = f"its channels cancel each other: channel {loudest + 1} alone is used"
    return samples[:, loudest].copy(), {"one channel": said}


def to_rate(samples: np.ndarray, rate: int, wanted: int) -> tuple[np.ndarray, Notes]:
    """Resample, and scale samples beyond [-1, 1] down.

    Args:
        samples: (S,).
        rate, wanted: Hz.

    Returns:
        (S,) samples, and a note if they are scaled.
    """
    samples = resample(samples, rate, wanted)
    over = int((np.abs(samples) > 1).sum())
    if not over:
        return samples, {}
    peak = float(np.abs(samples).max())
    said = f"{over} of {len(samples)} samples are beyond 1: all are divided by {peak:g}"
    return (samples / peak).clip(-1, 1), {"scaled down": said}


def resample(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Resample (S,) samples to the wanted rate (Hz); no change if rates are equal."""
    return samples if rate == wanted else soxr.resample(samples, rate, wanted)


class _File:
    """A recording that is opened once or twice, with a mended header."""

    def __init__(self, source: Source):
        self.stretch = source if isinstance(source, Stretch) else None
        self.source = source.recording if self.stretch else source
        self.notes: Notes = {}
        on_disk = isinstance(self.source, Path)
        self.content = None if on_disk else self.source.read()
        with open(self.source, "rb") if on_disk else io.BytesIO(self.content) as file:
            self.head = file.read(4)
            if mended := repair_wav(file):
                self.content, self.notes["header mended"] = mended

    def open(self) -> soundfile.SoundFile:
        """libsndfile's view of it; its errors become ours."""
        if not self.head:
            raise NotAudio("expected audio, found 0 bytes; copy it again")
        whole = self.content is None
        try:
            source = str(self.source) if whole else io.BytesIO(self.content)
            return soundfile.SoundFile(source)
        except (soundfile.LibsndfileError, TypeError) as error:
            reason = " ".join(getattr(error, "error_string", str(error)).split())
            fix = "convert it to wav or flac"
            if self.head.startswith(KNOWN):
                fix = "if it is damaged, copy it again; else convert it to 16-bit wav"
            raise NotAudio(f"cannot be read as audio ({reason}); {fix}") from error

    def span(self, rate: int, total: int) -> tuple[int, int]:
        """First and one-past-last sample of what is wanted of ``total`` samples."""
        if self.stretch is None:
            return 0, total
        first, end = round(self.stretch.start * rate), self.stretch.end
        return min(first, total), total if end is None else round(end * rate)

    def choose(self, samples: np.ndarray) -> np.ndarray:
        """What is wanted of the channels of (S, C) samples."""
        channel, count = self.stretch and self.stretch.channel, samples.shape[1]
        if channel is None:
            return samples
        if channel >= count:
            raise NotAudio(
                f"expected channel {channel + 1}, found {count}: correct the table"
            )
        return samples[:, channel : channel + 1]


def _decode(file: _File, check: Check, most: int, salvage: bool) -> tuple[Sound, bool]:
    """Read blocks, so that no memory is reserved by the header.

    Args:
        file: Recording.
        check, most: As of ``read_sound``.
        salvage: Read small blocks from the start, and never seek: an error loses the
            block in which it is, and a damaged file cannot be searched.

    Returns:
        What was read, and whether an error ended it.
    """
    blocks, broken = [], False
    with file.open() as opened:
        check(opened)
        first, last = file.span(opened.samplerate, _promised(opened))
        if salvage:
            opened.seekable = lambda: False
        count = min(last - first, most // opened.channels + 1)
        try:
            _skip(opened, first)
            for block in _blocks(opened, count, SALVAGE_BLOCK if salvage else BLOCK):
                blocks.append(block)
        except soundfile.LibsndfileError:
            broken = True
        empty = np.zeros((0, opened.channels), np.float32)
        samples = file.choose(np.concatenate([empty, *blocks]))
        notes = {**file.notes, **_missing(file, opened, len(samples), broken)}
        return Sound(samples, opened.samplerate, opened.format, notes), broken


def _skip(file: soundfile.SoundFile, count: int) -> None:
    if file.seekable() and count:
        file.seek(min(count, file.frames))
    elif count:
        for _ in _blocks(file, count, SALVAGE_BLOCK):
            pass


def _blocks(file: soundfile.SoundFile, count: int, size: int) -> Iterator[np.ndarray]:
    """Read (S, C) samples until there are ``count``, or no more."""
    while count > 0:
        block = file.read(min(size, count), dtype="float32", always_2d=True)
        if not len(block):
            return
        count -= len(block)
        yield block


def _promised(file: soundfile.SoundFile) -> int:
    """Samples according to the header, also if libsndfile found the file shorter."""
    if not (found := SHORTER.search(file.extra_info)):
        return file.frames
    promised, held = (int(size) for size in found.groups())
    streamed = not 0 < promised < STREAMED
    return file.frames if streamed else file.frames * promised // max(held, 1)


def _missing(
    file: _File, opened: soundfile.SoundFile, found: int, broken: bool
) -> Notes:
    """A note if there are fewer samples than were promised."""
    rate, total = opened.samplerate, _promised(opened)
    first, last = file.span(rate, total)
    if last == UNKNOWN:
        return {"truncated": f"is damaged after {found} samples"} if broken else {}
    slack = round(TOLERANCE * rate) if file.stretch else 0
    if found + slack >= last - first:
        return {}
    who = "segments" if file.stretch else "its header"
    said = f"is cut off: {who} says {last - first} samples, found {found}"
    return {"truncated": said}


def _power(samples: np.ndarray) -> float:
    return float(np.square(samples, dtype=np.float64).mean())
