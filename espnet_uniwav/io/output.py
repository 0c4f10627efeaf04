"""Writing of whole files, under names that cannot leave their folder."""

from __future__ import annotations

import os
import stat
import tempfile
import unicodedata
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout

# Longest file name of most file systems, less what other programs may add.
LONGEST = 255 - 48
# The file of ``locked``.
LOCK = ".lock"


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


def check_output(path: str | Path, folder: bool = False) -> None:
    """Refuse what cannot be written, before anything is computed for it.

    Args:
        path: A file, in a folder that exists; or a pipe or character device.
        folder: It is a folder, which will be made if it is missing.

    Raises:
        OSError: Naming the path.
    """
    path = Path(path)
    with output_errors(path):
        if folder:
            above = (path, *path.absolute().parents)
            place = next(own for own in above if _mode_of(own) is not None)
            if not place.is_dir():
                raise NotADirectoryError(
                    f"{path}: expected a folder to write, found a file"
                )
        elif _is_stream(path):
            return
        else:
            place = Path(os.path.realpath(path)).parent
            if not place.is_dir():
                raise FileNotFoundError(
                    f"{path}: its folder does not exist; make it first"
                )
        with tempfile.TemporaryFile(dir=place):
            pass


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Temporary path that becomes the file when the block ends without error.

    A full disk or a killed process never leaves an incomplete file. If two processes
    write the same file, one of them wins. A symbolic link is followed, and the mode of
    an existing file is kept. What is written is a new file: other hard links to the old
    one keep the old content.

    Raises:
        OSError: Naming the path, if it cannot be written.
    """
    path = Path(path)
    target = Path(os.path.realpath(path))
    name = f".{target.name[-50:]}.{uuid.uuid4().hex[:12]}.partial"
    partial = target.parent / name
    with output_errors(path, partial):
        if _is_stream(path):
            raise OSError(f"{path}: expected a regular file, found a pipe or device")
        try:
            mode = _create(partial, target)
            yield partial
            if stat.S_IMODE(partial.stat().st_mode) != mode:
                partial.chmod(mode)
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def atomic_write(path: str | Path, mode: str = "w") -> Iterator[IO]:
    """``atomic_path``, opened: ``w`` for text in UTF-8, ``wb`` for bytes.

    What is no regular file, such as a pipe, is written as it is.
    """
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    with output_errors(path):
        stream = _is_stream(Path(path))
    if not stream:
        with atomic_path(path) as partial, open(partial, mode, **text) as file:
            yield file
    else:
        with output_errors(path), open(path, mode, **text) as file:
            yield file


@contextmanager
def output_errors(path: str | Path, partial: Path | None = None) -> Iterator[None]:
    """Context in which errors of the system name an output by the path of the user.

    Args:
        path: The output.
        partial: If given, errors that name another file than this one stay.
    """
    try:
        yield
    except OSError as error:
        files = map(str, (None, path, partial))
        other = partial is not None and str(error.filename) not in files
        if other or error.errno is None:
            raise
        raise type(error)(f"{path}: cannot be written ({error.strerror})") from error


def write_text(path: str | Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_write(path) as file:
        file.write(text)


@contextmanager
def locked(folder: str | Path, wait: bool = False) -> Iterator[None]:
    """Keep other processes from writing to an existing folder.

    The lock is on a hidden file in the folder. A process that dies lets go of it, and
    leaves the file, which does no harm. A file system without locks is no error.

    Args:
        folder: The folder.
        wait: Until another process has done.

    Raises:
        ValueError: If another process writes to it.
    """
    lock = FileLock(Path(folder) / LOCK)
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        raise ValueError(
            f"{folder}: another process writes to it; wait for it, or name another "
            "folder"
        ) from None
    except (OSError, NotImplementedError):
        pass
    try:
        yield
    finally:
        if lock.is_locked:
            with suppress(OSError):  # Windows removes it on release
                os.unlink(lock.lock_file)
        lock.release()


def _is_stream(path: Path) -> bool:
    """Whether there is a pipe or character device, which no file may replace.

    Raises:
        OSError: If there is anything else to which nothing can be written.
    """
    mode = _mode_of(path)
    if mode is None:
        return False
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"{path}: expected a file to write, found a folder")
    stream = stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)
    if not stream and not stat.S_ISREG(mode):
        raise OSError(f"{path}: expected a file to write, found a socket or disk")
    if not os.access(path, os.W_OK):
        raise PermissionError(f"{path}: is read-only; name another output")
    return stream


def _mode_of(path: Path) -> int | None:
    """Type and permissions of what is there; None: nothing."""
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None


def _create(partial: Path, target: Path) -> int:
    """Make an empty file, readable by nobody who cannot read the target.

    Returns:
        Permissions that it must have in the end: those of the target, if there is one.
    """
    old = _mode_of(target)
    own = 0o666 if old is None else old & 0o666 | stat.S_IWUSR
    handle = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, own)
    try:
        return stat.S_IMODE(os.fstat(handle).st_mode if old is None else old)
    finally:
        os.close(handle)
