"""Tables that grow by rows, and what an interrupted process leaves of them.

A row is appended at once. A process that is killed may leave rows that others do not
match, or half a row at the end: ``keep_rows`` removes them before more are written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from espnet_uniwav.io.input import fields, iter_lines
from espnet_uniwav.io.output import atomic_write, output_errors


def append_rows(path: str | Path, rows: str) -> None:
    """Append rows, each with its line end; an error leaves the table as it was.

    Raises:
        OSError: Naming the path, if it cannot be written.
    """
    with output_errors(path), open(path, "ab", buffering=0) as file:
        size, rest = file.tell(), memoryview(rows.encode())
        try:
            while rest:
                rest = rest[file.write(rest) :]
        except OSError:
            file.truncate(size)
            raise


def complete_rows(path: str | Path) -> Iterator[str]:
    """Rows one by one, without line ends, blank ones and a last one that is cut off.

    A missing table has none.

    Raises:
        ValueError: As of ``iter_lines``.
    """
    if Path(path).is_file():
        yield from filter(str.strip, iter_lines(path, complete=True))


def row_name(row: str) -> str:
    """The first column."""
    return fields(row, 2)[0]


def keep_rows(path: str | Path, keep: Callable[[str], bool]) -> None:
    """Replace a table by its complete rows that are to be kept, atomically.

    Only one row at a time is in memory. A missing table becomes an empty one.

    Args:
        path: The table.
        keep: Of the name of a row, see ``row_name``.

    Raises:
        ValueError, OSError: As of ``complete_rows`` and ``atomic_write``.
    """
    with atomic_write(path) as file:
        for row in complete_rows(path):
            if keep(row_name(row)):
                file.write(f"{row}\n")
