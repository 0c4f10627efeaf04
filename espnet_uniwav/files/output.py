"""Atomic writing of files, under names that cannot leave their folder."""

from __future__ import annotations

import fcntl
import os
import unicodedata
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

# Longest file name of most file systems, less the part that ``whole_path`` adds.
LONGEST = 255 - 48


def file_of(folder: str | Path, name: str, suffix: str) -> Path:
    """Path of an utterance's file; all ids from tables become paths here.

    Args:
        folder: Its folder.
        name: Untrusted id from a table.
        suffix: File name suffix, such as ``.wav``.

    Raises:
        ValueError: If the id is not a plain file name.
    """
    odd = any(unicodedata.category(c) in ("Cc", "Cs") or c in "/\\" for c in name)
    size = len(os.fsencode(f"{name}{suffix}")) if not odd else 0
    if odd or name in ("", ".", "..") or size > LONGEST:
        raise ValueError(
            f"{name[:100]!r}: expected an id that can be the name of a file (no slash, "
            f"no control character, at most {LONGEST} bytes); rename the utterance"
        )
    return Path(folder) / f"{name}{suffix}"


@contextmanager
def whole_path(path: str | Path) -> Iterator[Path]:
    """Temporary path that replaces the file when the block ends without error.

    A full disk or a killed process never leaves an incomplete file. If two processes
    write the same file, one of them wins.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path}: expected a file to write, found a folder")
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_file(path: str | Path, mode: str = "w") -> Iterator[IO]:
    """``whole_path``, opened: ``w`` for text in UTF-8, ``wb`` for bytes."""
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    with whole_path(path) as partial:
        with open(partial, mode, **text) as file:
            yield file


def write_text(path: str | Path, text: str) -> None:
    """Write a text file atomically."""
    with whole_file(path) as file:
        file.write(text)


@contextmanager
def locked(folder: str | Path) -> Iterator[None]:
    """Keep other processes from writing to an existing folder.

    Raises:
        ValueError: If another process writes to it.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise ValueError(
            f"{folder}: another process writes to it; wait for it, or name another "
            "folder"
        ) from None
    except OSError:
        pass  # a file system without locks
    try:
        yield
    finally:
        os.close(handle)
