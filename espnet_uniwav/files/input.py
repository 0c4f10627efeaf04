"""What is read: text and configurations of unknown origin, with errors that say where.

Lines end in a line feed. Other characters at which some programs also end a line, such
as U+2028, are errors: the programs would not agree about what a table says.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

MARK = "\ufeff"
LINE_ENDS = re.compile("[\0\v\f\r\x1c-\x1e\x85\u2028\u2029]")
# Of a configuration (bytes): far more than the longest of ESPnet's, with its tokens.
LARGEST_CONFIG = 2**25


def read_lines(path: str | Path, mark: bool = False) -> list[str]:
    """Lines of a text file, without their ends.

    Args:
        path: File.
        mark: Whether a byte order mark may open it, as spreadsheets write it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: Naming file and line, if that is not UTF-8 or holds a character
            that only some programs take as the end of a line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    lines = []
    content = path.read_bytes()
    if mark:
        content = content.removeprefix(MARK.encode())
    for number, line in enumerate(content.split(b"\n"), 1):
        place = f"{path}, line {number}"
        try:
            text = line.removesuffix(b"\r").decode("utf-8")
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
        lines.append(text)
    if lines[-1] == "":
        lines.pop()
    return lines


def read_rows(path: str | Path, **form) -> tuple[list[str], list[tuple[str, dict]]]:
    """A table with a head, such as a spreadsheet saves it.

    Args:
        path: File.
        **form: Of ``csv.DictReader``, such as ``delimiter``.

    Returns:
        Names of the columns; and of every line its place, for errors, and its cells.

    Raises:
        FileNotFoundError, ValueError: As of ``read_lines``.
    """
    lines = (f"{line}\n" for line in read_lines(path, mark=True))
    reader = csv.DictReader(lines, **form)
    try:
        columns = list(reader.fieldnames or [])
        rows = [(f"{path}, line {reader.line_num}", row) for row in reader]
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num + 1}: {error}") from error
    return columns, rows


def read_yaml(path: str | Path) -> dict:
    """A configuration: the mapping that a yaml file holds. Nothing is executed.

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
def blamed_on(path: str | Path) -> Iterator[None]:
    """Errors of the block are ValueErrors about a file that somebody else wrote.

    For what is built from a configuration, where a wrong type or size can raise
    anything. ImportError and OSError stay: they are about this machine.
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
