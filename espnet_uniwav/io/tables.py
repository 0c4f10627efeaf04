"""Tables with a header line: CSV and TSV files, and Markdown."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from espnet_uniwav.io.input import read_lines
from espnet_uniwav.io.output import atomic_write, write_text

# Format of TSV files: cells hold neither tabs nor line ends, so nothing is quoted.
TSV = dict(delimiter="\t", quoting=csv.QUOTE_NONE)


def read_rows(
    path: str | Path, needed: Sequence[str] = (), **form
) -> tuple[list[str], list[tuple[str, dict[str, str]]]]:
    """Read a table, as saved by a spreadsheet.

    Args:
        path: File.
        needed: Columns that must be there.
        **form: Arguments of ``csv.DictReader``: none for CSV, ``TSV``.

    Returns:
        Names of the columns; and for every line its position, for errors, and its
        cells, of which a missing one is empty.

    Raises:
        FileNotFoundError, ValueError: As of ``read_lines``; or if a column is missing,
            or a line has more cells than the header.
    """
    lines = (f"{line}\n" for line in read_lines(path, mark=True))
    reader = csv.DictReader(lines, restval="", **form)
    try:
        columns = list(reader.fieldnames or [])
        rows = [(f"{path}, line {reader.line_num}", row) for row in reader]
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num + 1}: {error}") from error
    if missing := [name for name in needed if name not in columns]:
        raise ValueError(
            f"{path}: expected the columns {', '.join(needed)}, divided by "
            f"{form.get('delimiter', ',')!r}, found {', '.join(columns) or 'none'}; "
            f"add {', '.join(missing)}"
        )
    for place, row in rows:
        if more := [cell for cell in row.pop(None, ()) if cell]:
            raise ValueError(
                f"{place}: expected the cells {', '.join(columns)}, found {more} after "
                f"them; take the {form.get('delimiter', ',')!r} out of a cell"
            )
    return columns, rows


def write_csv(
    path: str | Path, rows: Iterable[Mapping], columns: Sequence[str] | None = None
) -> None:
    """Write a CSV file atomically.

    Args:
        path: File.
        rows: Column -> cell; missing cells stay empty.
        columns: Their order; None: as in the rows.
    """
    rows = list(rows)
    if columns is None:
        columns = list(dict.fromkeys(name for row in rows for name in row))
    with atomic_write(path) as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def write_tsv(
    path: str | Path, columns: Sequence[str], rows: Iterable[Sequence]
) -> None:
    """Write a TSV file atomically.

    Tabs and line ends in a cell become blanks, bytes of a path that are no text ``?``.
    """
    lines = (
        "\t".join(re.sub(r"[\t\r\n]+", " ", str(cell)) for cell in row)
        for row in (columns, *rows)
    )
    text = "".join(f"{line}\n" for line in lines)
    write_text(path, text.encode(errors="replace").decode())


def markdown(columns: Sequence[str], rows: Iterable[Sequence]) -> str:
    """A table in Markdown, without a line end."""
    head, *lines = (f"| {' | '.join(map(str, row))} |" for row in (columns, *rows))
    return "\n".join([head, "|---" * len(columns) + "|", *lines])
