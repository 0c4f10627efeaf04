"""Reading of untrusted text and configurations, with errors that name file and line.

Lines end in a line feed. Other characters at which some programs also end a line, such
as U+2028, are errors: different programs would read different tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

MARK = "\ufeff"
# What divides the columns of a table. Names may hold any other space, such as U+00A0.
BLANKS = " \t"
LINE_ENDS = re.compile("[\0\v\f\r\x1c-\x1e\x85\u2028\u2029]")
# Largest configuration (bytes), far above ESPnet's longest ones with token lists.
LARGEST_CONFIG = 2**25


def is_there(path: str | Path) -> bool:
    """Whether a path is a file, or a pipe such as ``/dev/stdin``."""
    return Path(path).is_file() or Path(path).is_fifo()


def fields(line: str, most: int | None = None) -> list[str]:
    """Split a line of a table at blanks and tabs, and at no other space.

    Args:
        line: Without its end.
        most: Columns, the last of which holds the rest; None: as many as there are.
    """
    line = line.strip(BLANKS)
    cuts = 0 if most is None else most - 1
    return re.split(f"[{BLANKS}]+", line, maxsplit=cuts) if line else []


def is_field(text: str) -> bool:
    """Whether a text can stand in one column of a table."""
    return fields(text) == [text] and not re.search(f"\n|{LINE_ENDS.pattern}", text)


def clean_id(name: str) -> str:
    """Make a name fit for Kaldi's tables and for a file: no blank and no slash."""
    return re.sub(r"[\s/\\\0]+", "_", name.strip())


def read_lines(path: str | Path, mark: bool = False) -> list[str]:
    """Read the lines of a text file, without line ends; see ``iter_lines``."""
    return list(iter_lines(path, mark))


def iter_lines(
    path: str | Path, mark: bool = False, complete: bool = False
) -> Iterator[str]:
    """Read the lines of a text file one by one, without line ends.

    Args:
        path: File.
        mark: Whether a byte order mark may open it, as spreadsheets write it.
        complete: Leave out a last line that has no end.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: Naming file and line, if that is not UTF-8 or holds a character
            at which only some programs end a line.
    """
    path = Path(path)
    if not is_there(path):
        raise FileNotFoundError(f"{path}: no such file")
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if number == 1 and mark:
                line = line.removeprefix(MARK.encode())
            if line.endswith(b"\n") or (line and not complete):
                yield _decode(line, number, f"{path}, line {number}")


def _decode(line: bytes, number: int, place: str) -> str:
    """A line without its end; errors as of ``iter_lines``."""
    line = line.removesuffix(b"\n").removesuffix(b"\r")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{place}: expected UTF-8, found the byte {line[error.start]:#x}; "
            "convert the file with iconv"
        ) from None
    if number == 1 and text.startswith(MARK):
        raise ValueError(f"{place}: found a byte order mark; save it without one")
    if odd := LINE_ENDS.search(text):
        raise ValueError(
            f"{place}: found U+{ord(odd.group()):04X}, where some programs end a "
            "line; replace it by a blank"
        )
    return text


def read_yaml(path: str | Path) -> dict:
    """Read a configuration: the mapping in a yaml file. Nothing is executed.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: Naming the file, if it is no yaml or no mapping.
    """
    path = Path(path)
    if path.is_file() and path.stat().st_size > LARGEST_CONFIG:
        raise ValueError(f"{path}: expected at most {LARGEST_CONFIG} bytes of yaml")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: expected yaml, found {reason}; fix it") from error
    if not isinstance(content, dict):
        raise ValueError(
            f"{path}: expected a mapping, found {type(content).__name__}; fix it"
        )
    return content


@contextmanager
def error_context(path: str | Path) -> Iterator[None]:
    """Context in which errors become ValueErrors that name the file.

    For building from a configuration, where a wrong type or size can raise anything.
    ImportError and OSError are not changed: they concern this machine.
    """
    try:
        yield
    except (ImportError, OSError):
        raise
    except ValueError as error:
        if str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path}: {error}") from error
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(
            f"{path}: what it describes cannot be built ({reason}); check its types "
            "and sizes"
        ) from error
