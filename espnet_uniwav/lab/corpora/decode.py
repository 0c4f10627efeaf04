"""Decodes a recording once, completely, and cuts it into pieces for training.

ESPnet reads the pieces with soundfile and expects 16 kHz mono. A file that already is
so is not copied; anything else is written as 16-bit FLAC.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from espnet_uniwav.io.audio import SAMPLE_RATE, write_speech
from espnet_uniwav.io.pipe import Pipe
from espnet_uniwav.io.samples import (
    NotAudio,
    Sound,
    check_finite,
    read_sound,
    to_mono,
    to_rate,
)
from espnet_uniwav.io.source import Entry, Stream, Stretch, as_source
from espnet_uniwav.lab.corpora.corpus import Cut, Recording, Skip

SILENCE_FLOOR = 5e-4
ORIGINS = {
    Pipe: "from a pipe",
    Entry: "from an archive",
    Stream: "from a pipe",
    Stretch: "one channel",
}


class BadAudio(Exception):
    """This recording or utterance is left out; the message is the reason."""


@dataclass(frozen=True)
class Limits:
    """Shortest utterance kept and longest piece written, in seconds."""

    min_seconds: float = 0.4
    max_seconds: float = 20.0


@dataclass(frozen=True)
class Piece:
    """One line of the data folders.

    `samples` counts at 16 kHz; `changes` names what was done to the audio (empty: the
    file is used in place); `origin` is the utterance that the piece was cut from.
    """

    utt: str
    speaker: str
    text: str
    split: str
    origin: str
    path: str
    samples: int
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decoded:
    """Mono samples (S,) at 16 kHz, the changes made, and the encoding."""

    samples: np.ndarray
    changes: tuple[str, ...]


def prepare(
    recording: Recording, limits: Limits, folder: Path
) -> tuple[list[Piece], list[Skip]]:
    """Decodes a recording, and writes its pieces if they differ from the file.

    Args:
        recording: file or command, and its utterances.
        limits: lengths in seconds.
        folder: existing folder for converted audio.

    Returns:
        The usable pieces and the entries left out.
    """
    try:
        decoded = decode(recording)
    except (BadAudio, OSError, MemoryError) as error:
        reason = str(error) if isinstance(error, BadAudio) else f"unreadable: {error}"
        source = str(recording.source)
        return [], [Skip(cut.utt, source, reason) for cut in recording.utterances]
    pieces, skips = [], []
    for utterance in recording.utterances:
        found, bad = _cut(utterance, recording, decoded, limits, folder)
        pieces += found
        skips += bad
    return pieces, skips


def decode(recording: Recording) -> Decoded:
    """Reads all samples of a recording as 16 kHz mono.

    Raises:
        BadAudio: missing, empty, not audio, or with samples that are not finite.
    """
    name = recording.source
    source = Pipe(name) if recording.is_command else as_source(name)
    if isinstance(source, Path):
        _check_file(str(name))
    try:
        sound = read_sound(source, check_rate)
    except NotAudio as error:
        raise BadAudio(f"not audio: {error}") from error
    except ValueError as error:
        raise BadAudio(str(error)) from error
    if len(sound.samples) == 0:
        raise BadAudio("empty: no sample could be decoded")
    try:
        check_finite(sound.samples)
    except ValueError as error:
        raise BadAudio(f"not finite: {error}") from error
    samples, changes = _convert(sound)
    if not isinstance(source, Path):
        stored = isinstance(name, Stream)
        changes = ("from a data set" if stored else ORIGINS[type(source)], *changes)
    return Decoded(samples, changes)


def _check_file(path: str) -> None:
    if not os.path.isfile(path):
        raise BadAudio("missing: no such file")
    if path != path.encode("utf-8", "replace").decode("utf-8"):
        raise BadAudio("bad name: the path is not UTF-8")
    if os.path.getsize(path) == 0:
        raise BadAudio("empty: 0 bytes")


def check_rate(header: soundfile.SoundFile) -> None:
    if not 4000 <= header.samplerate <= 384000:
        raise BadAudio(f"odd sample rate: {header.samplerate} Hz")


def _convert(sound: Sound) -> tuple[np.ndarray, tuple[str, ...]]:
    """Brings samples to one channel, 16 kHz and [-1, 1]; names every change."""
    changes = list(sound.notes)
    if sound.format not in ("WAV", "WAVEX", "FLAC"):
        changes.append("other format")
    samples, mixed = to_mono(sound.samples)
    if sound.samples.shape[1] > 1:
        changes += mixed or ["mixed down"]
    samples, scaled = to_rate(samples, sound.rate, SAMPLE_RATE)
    changes += scaled
    if sound.rate != SAMPLE_RATE:
        changes.append("resampled")
    return samples, tuple(changes)


def _cut(
    utterance: Cut,
    recording: Recording,
    decoded: Decoded,
    limits: Limits,
    folder: Path,
) -> tuple[list[Piece], list[Skip]]:
    """Makes the pieces of one utterance, each at most `max_seconds` long.

    A transcript cannot be divided: pieces of a cut utterance carry none.
    """
    first = round(utterance.start * SAMPLE_RATE)
    last = None if utterance.end is None else round(utterance.end * SAMPLE_RATE)
    samples, changes = decoded.samples[first:last], decoded.changes
    if len(samples) < len(decoded.samples):
        changes = (*changes, "segment")
    count = max(1, math.ceil(len(samples) / (limits.max_seconds * SAMPLE_RATE)))
    if count > 1:
        changes = (*changes, "cut")
    pieces, skips = [], []
    for number, part in enumerate(np.array_split(samples, count), 1):
        utt = utterance.utt if count == 1 else f"{utterance.utt}-p{number:04d}"
        try:
            _check_part(part, limits.min_seconds)
        except BadAudio as error:
            skips.append(Skip(utt, str(recording.source), str(error)))
            continue
        path = os.path.abspath(recording.source) if not changes else ""
        if changes:
            path = os.path.abspath(folder / f"{utt}.flac")
            write_speech(path, part, SAMPLE_RATE)
        text = utterance.text if count == 1 else ""
        pieces.append(
            Piece(
                utt,
                utterance.speaker,
                text,
                utterance.split,
                utterance.utt,
                path,
                len(part),
                changes,
            )
        )
    return pieces, skips


def _check_part(part: np.ndarray, min_seconds: float) -> None:
    seconds = len(part) / SAMPLE_RATE
    if seconds < min_seconds:
        raise BadAudio(f"too short: {seconds:.3f} s, expected {min_seconds} s or more")
    swing = float(np.abs(part - part.mean()).max())
    if swing < SILENCE_FLOOR:
        raise BadAudio(
            f"silent: peak {swing:.1e} of 1, expected {SILENCE_FLOOR} at least"
        )
