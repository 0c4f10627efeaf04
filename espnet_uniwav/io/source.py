"""What a table, an option or a data set names as a recording or an utterance."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from espnet_uniwav.io.pipe import Pipe

# Seconds, 115 days: no recording is so long.
LATEST = 1e7
ENTRY = re.compile(r"(.+):(\d+)")


class Entry(str):
    """``FILE:BYTE``: a recording in a Kaldi archive, as ESPnet's recipes write them."""

    @property
    def file(self) -> Path:
        """The archive."""
        return Path(self.rpartition(":")[0])

    @property
    def place(self) -> int:
        """Where the recording begins (bytes)."""
        return int(self.rpartition(":")[2])

    def read(self) -> bytes:
        """The wav or flac that begins at that byte.

        Raises:
            ValueError: If none does.
        """
        whole = self.file.stat().st_size
        with open(self.file, "rb") as archive:
            archive.seek(min(self.place, whole))
            head = archive.read(8)
            if head.startswith(b"RIFF"):
                archive.seek(-8, os.SEEK_CUR)
                size = 8 + int.from_bytes(head[4:], "little")
            elif head.startswith(b"AUDIO") and len(head) == 8:
                archive.seek(-2, os.SEEK_CUR)
                size = int.from_bytes(archive.read(head[5]), "little")
            else:
                raise ValueError(
                    "no recording: expected wav or flac at this byte of the archive, "
                    f"found {head!r}; write the recordings to files"
                )
            return archive.read(min(size, whole))


@dataclass(frozen=True)
class Stream:
    """Bytes in memory: a pipe that was read (``/dev/stdin``), or audio in a data set.

    Attributes:
        name: Its path.
        content: All bytes; nobody can read those of a pipe twice.
    """

    name: str
    content: bytes

    def __str__(self) -> str:
        return self.name

    def read(self) -> bytes:
        """Its bytes."""
        return self.content


@dataclass(frozen=True)
class Stretch:
    """Part of a recording, as a line of ``segments`` names it, or lhotse's manifest.

    Attributes:
        recording: All of it.
        start: Seconds.
        end: Seconds; None: the end of the recording.
        channel: Number of the only channel wanted, from 0 on; None: all.
    """

    recording: Path | Pipe | Entry | Stream
    start: float = 0.0
    end: float | None = None
    channel: int | None = None

    def __str__(self) -> str:
        end = "its end" if self.end is None else f"{self.end:g} s"
        channel = "" if self.channel is None else f", channel {self.channel + 1}"
        return f"{self.recording}{channel}, from {self.start:g} s to {end}"


Source = Path | Pipe | Entry | Stream | Stretch


@dataclass(frozen=True)
class Utterance:
    """One line of a Kaldi data folder, or one of a data set."""

    name: str
    path: Source
    speaker: str = ""
    text: str = ""


def as_source(path: str | Source) -> Source:
    """What a path stands for; a pipe is read. Only a table may name a command."""
    if not isinstance(path, (str, Path)) or isinstance(path, (Pipe, Entry)):
        return path
    with contextlib.suppress(OSError):  # a path that is too long, say
        if Path(path).is_fifo():
            return Stream(str(path), Path(path).read_bytes())
        found = ENTRY.fullmatch(str(path))
        if found and Path(found[1]).is_file() and not Path(path).exists():
            return Entry(path)
    return Path(path)


def stamp(source: Source) -> str:
    """What changes when a recording does: size and time of its file; a command.

    Returns:
        Hexadecimal digits; empty if there is no such file.
    """
    if isinstance(source, Stretch):
        whole = stamp(source.recording)
        channel = () if source.channel is None else (source.channel,)
        return whole and _digest(whole, source.start, source.end, *channel)
    if isinstance(source, Stream):
        return hashlib.sha256(source.content).hexdigest()[:16]
    if isinstance(source, Pipe):
        return _digest(source)
    entry = isinstance(source, Entry)
    try:
        info = os.stat(source.file if entry else source)
    except OSError:
        return ""
    return _digest(info.st_size, info.st_mtime_ns, source.place if entry else 0)


def _digest(*parts) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
