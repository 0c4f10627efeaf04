"""Headers of wav files that say too little: a recorder stopped before it wrote them."""

from __future__ import annotations

import struct
from typing import BinaryIO

# Tags that some programs put behind a wav file, outside of its chunks.
TAGS = (b"ID3", b"TAG")
LONGEST = 2**32 - 1


def repair_wav(file: BinaryIO) -> tuple[bytes, str] | None:
    """A wav file with the right size of its samples in the header.

    Args:
        file: Opened for reading.

    Returns:
        The bytes, and what was wrong; None if the header holds, or says more than there
        is, or if this is no wav file.

    Raises:
        ValueError: If it is too long for a header.
    """
    whole = file.seek(0, 2)
    place = _find_samples(file, whole)
    if place is None:
        return None
    (size,) = _read(file, place - 4, "<I")
    end = place + size
    if end >= whole or not _is_cut_short(file, size, end, whole):
        return None
    if whole > LONGEST:
        raise ValueError(
            f"too long: its header says {size} bytes of samples, the file has "
            f"{whole - place}; convert it to flac, in parts"
        )
    file.seek(0)
    content = bytearray(file.read())
    struct.pack_into("<I", content, 4, whole - 8)
    struct.pack_into("<I", content, place - 4, whole - place)
    said = f"its header says {size} bytes of samples, found {whole - place}"
    return bytes(content), f"{said}: all are read"


def _find_samples(file: BinaryIO, whole: int) -> int | None:
    """Where the samples begin."""
    kind, _, form = _read(file, 0, "<4sI4s") if whole >= 12 else (b"", 0, b"")
    place = 12
    while (kind, form) == (b"RIFF", b"WAVE") and place + 8 <= whole:
        name, size = _read(file, place, "<4sI")
        if name == b"data":
            return place + 8
        place += 8 + size + size % 2
    return None


def _is_cut_short(file: BinaryIO, size: int, end: int, whole: int) -> bool:
    """Whether samples follow what the header says; not chunks, a tag or zeros."""
    if any(_is_chunks(file, end + pad, whole) for pad in {0, size % 2}):
        return False
    file.seek(end)
    rest = file.read()
    return not rest.startswith(TAGS) and (size == 0 or bool(rest.strip(b"\0")))


def _is_chunks(file: BinaryIO, place: int, whole: int) -> bool:
    while place + 8 <= whole:
        name, size = _read(file, place, "<4sI")
        if not all(32 <= letter < 127 for letter in name):
            return False
        place += 8 + size
        place += size % 2 if place < whole else 0
    return place <= whole


def _read(file: BinaryIO, place: int, form: str) -> tuple:
    file.seek(place)
    return struct.unpack(form, file.read(struct.calcsize(form)))
