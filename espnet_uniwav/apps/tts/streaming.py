"""Speech written to a pipe while it is computed."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import numpy as np

from espnet_uniwav.io.audio import to_int16
from espnet_uniwav.io.output import output_errors

UNKNOWN = 2**32 - 1


def wav_header(sample_rate: int) -> bytes:
    """Header of 16-bit wav of one channel and of unknown length.

    Both sizes are the largest number, which tells players to read to the end.
    """
    pcm = (16, 1, 1, sample_rate, 2 * sample_rate, 2, 16)
    return (
        struct.pack("<4sI4s", b"RIFF", UNKNOWN, b"WAVE")
        + struct.pack("<4sIHHIIHH", b"fmt ", *pcm)
        + struct.pack("<4sI", b"data", UNKNOWN)
    )


def encode_chunks(
    chunks: Iterable[np.ndarray], sample_rate: int | None, name: str
) -> Iterator[bytes]:
    """Chunks as 16 bits, little-endian, each as soon as it is there.

    Args:
        chunks: (S,) samples each.
        sample_rate: Of a wav header (Hz), before the first one; None: no header.
        name: What they are written to, for errors.

    Raises:
        ValueError: If a sample is NaN or infinite.
    """
    head = b"" if sample_rate is None else wav_header(sample_rate)
    for chunk in chunks:
        yield head + to_int16(name, chunk).astype("<i2").tobytes()
        head = b""


def write_stream(
    output: BinaryIO, chunks: Iterable[np.ndarray], sample_rate: int
) -> float:
    """Write chunks as wav, each as soon as it is there; nothing before the first.

    Args:
        output: A pipe or file. If its reader goes away, the rest is not computed.
        chunks: (S,) samples each.
        sample_rate: Hz.

    Returns:
        Seconds written.

    Raises:
        ValueError: If a sample is NaN or infinite.
    """
    size = -len(wav_header(sample_rate))
    for data in encode_chunks(chunks, sample_rate, "standard output"):
        try:
            with output_errors("standard output"):
                output.write(data)
                output.flush()
        except BrokenPipeError:
            _drop(output)
            break
        size += len(data)
    return max(size, 0) / 2 / sample_rate


def _drop(output: BinaryIO) -> None:
    """Let the buffered rest go nowhere, or Python complains when it exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, output.fileno())
    os.close(nowhere)
