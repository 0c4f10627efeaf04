"""What is written: whole or not at all, and under names that stay in their folder."""

from __future__ import annotations

import fcntl
import os
import unicodedata
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

# Of most file systems, less what ``whole_path`` adds.
LONGEST = 255 - 48


def file_of(folder: str | Path, name: str, suffix: str) -> Path:
    """The file of an utterance: the only way from an id of a table to a path.

    Args:
        folder: Where it is.
        name: Id from a table, of unknown origin.
        suffix: Such as ``.wav``.

    Raises:
        ValueError: If the id is no plain file name.
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
    """A path beside a file, which replaces the file when the block ends without error.

    Neither a full disk nor a killed process leaves half a file, and of two processes
    that write the same file one wins.
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
    """Write a text file, whole or not at all."""
    with whole_file(path) as file:
        file.write(text)


@contextmanager
def locked(folder: str | Path) -> Iterator[None]:
    """Keep other processes from writing to a folder, which exists.

    Raises:
        ValueError: If one does.
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
