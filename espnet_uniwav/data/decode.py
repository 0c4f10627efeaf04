"""Decodes a recording once, completely, and cuts it into pieces for training.

ESPnet reads the pieces with soundfile and expects 16 kHz mono. A file that already is
so is not copied; anything else is written as 16-bit FLAC.
"""

from __future__ import annotations

import io
import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from espnet_uniwav.data.audio import write_speech
from espnet_uniwav.data.corpus import Recording, Skip, Utterance
from espnet_uniwav.data.pipe import Pipe

SAMPLE_RATE = 16000
SILENCE_FLOOR = 5e-4
READ_BLOCK = 1 << 16
SALVAGE_BLOCK = 1 << 11


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
        source = recording.source
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
    if recording.is_command:
        data = _run(recording.source)
        samples, changes = _read(lambda: io.BytesIO(data))
        changes = ("from a pipe", *(name for name in changes if name != "truncated"))
        return Decoded(samples, changes)
    _check_file(recording.source)
    return Decoded(*_read(lambda: recording.source))


def _check_file(path: str) -> None:
    if not os.path.isfile(path):
        raise BadAudio("missing: no such file")
    if path != path.encode("utf-8", "replace").decode("utf-8"):
        raise BadAudio("bad name: the path is not UTF-8")
    if os.path.getsize(path) == 0:
        raise BadAudio("empty: 0 bytes")


def _run(command: str) -> bytes:
    try:
        return Pipe(command).read()
    except ValueError as error:
        raise BadAudio(str(error)) from error


def _read(open_source) -> tuple[np.ndarray, tuple[str, ...]]:
    """Decodes to the end, or as far as the stream is sound, then converts."""
    try:
        samples, header, state = _decode_blocks(open_source(), READ_BLOCK)
        if state == "broken":
            samples, header, state = _decode_blocks(open_source(), SALVAGE_BLOCK)
    except (soundfile.LibsndfileError, TypeError) as error:
        raise BadAudio(f"not audio: {' '.join(str(error).split())}") from error
    if len(samples) == 0:
        raise BadAudio("empty: no sample could be decoded")
    if not np.isfinite(samples).all():
        bad = int(np.count_nonzero(~np.isfinite(samples)))
        raise BadAudio(f"not finite: {bad} NaN or infinite samples")
    return _convert(samples, header, state != "whole")


def _decode_blocks(source, block: int):
    """Reads (S,) float32, mixed down, block by block until the end or an error.

    Returns:
        Samples, header, and a state: "whole", "short" (the header promised more) or
        "broken" (the decoder gave up, and what it had of the last block is lost).
    """
    blocks, state = [], "whole"
    with soundfile.SoundFile(source) as audio:
        if not 4000 <= audio.samplerate <= 384000:
            raise BadAudio(f"odd sample rate: {audio.samplerate} Hz")
        try:
            for part in audio.blocks(block, dtype="float32", always_2d=True):
                blocks.append(part.mean(axis=1))
        except soundfile.LibsndfileError:
            state = "broken"
        samples = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
        promised_more = "should be" in audio.extra_info or len(samples) < audio.frames
        if promised_more and state == "whole":
            state = "short"
    return samples, audio, state


def _convert(samples: np.ndarray, header, truncated: bool):
    """Brings mono samples to 16 kHz and to [-1, 1]; names every change."""
    changes = []
    if truncated:
        changes.append("truncated")
    if header.format not in ("WAV", "WAVEX", "FLAC"):
        changes.append("other format")
    if header.channels > 1:
        changes.append("mixed down")
    peak = float(np.abs(samples).max())
    if peak > 1:
        samples = samples / peak
        changes.append("scaled down")
    if header.samplerate != SAMPLE_RATE:
        samples = soxr.resample(samples, header.samplerate, SAMPLE_RATE).clip(-1, 1)
        changes.append("resampled")
    return samples, tuple(changes)


def _cut(
    utterance: Utterance,
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
            skips.append(Skip(utt, recording.source, str(error)))
            continue
        path = recording.source
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
