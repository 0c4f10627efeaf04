"""Tables of lines to synthesise: text, prompt and reference."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from dataclasses import fields as columns_of
from pathlib import Path

from espnet_uniwav.io.input import fields
from espnet_uniwav.io.output import file_of
from espnet_uniwav.io.tables import TSV, read_rows, write_tsv


@dataclass(frozen=True)
class Line:
    """A line of the table; empty cells are empty strings.

    Attributes:
        name: Of the line, and of its wav file.
        text: Words.
        prompt: Recording of the voice.
        prompt_text: What is said there.
        phones: Tokens instead of those of the text, with blanks between them.
        durations: Frames of the phones.
        reference: Recording of the same text.
        speaker: Of the reference.
    """

    name: str = ""
    text: str = ""
    prompt: str = ""
    prompt_text: str = ""
    phones: str = ""
    durations: str = ""
    reference: str = ""
    speaker: str = ""


COLUMNS = tuple(field.name for field in columns_of(Line))


def read_lines(path: Path, needed: Sequence[str] = ("name",)) -> list[Line]:
    """Read a tab-separated table with a header line.

    Args:
        path: File.
        needed: Columns in which no line may be empty.

    Raises:
        FileNotFoundError, ValueError: Naming the file, the line and what is wrong.
    """
    lines, names = [], set()
    columns, rows = read_rows(path, **TSV)
    if odd := sorted(set(columns) - set(COLUMNS)):
        raise ValueError(f"{path}: unknown columns {odd}; choose from {COLUMNS}")
    for place, row in rows:
        line = Line(**row)
        if empty := [key for key in needed if not getattr(line, key)]:
            raise ValueError(f"{place}: expected {', '.join(empty)}")
        try:
            file_of(path.parent, line.name, ".wav")
            read_durations(line.durations)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
        if line.name in names:
            raise ValueError(f"{place}: expected a new name, found {line.name!r}")
        names.add(line.name)
        lines.append(line)
    if not lines:
        raise ValueError(f"{path}: expected a head and lines below it, found none")
    return lines


def items(value: str | Sequence | None) -> list:
    """Items with blanks between them, or in a list; of None none."""
    if isinstance(value, str):
        return fields(value)
    return [] if value is None else list(value)


def read_durations(value: str | Sequence | None) -> list[int]:
    """Frames of phones, as ``items``.

    Raises:
        ValueError: Naming what is no whole number, or too large.
    """
    counts = items(value)
    for count in counts:
        if not re.fullmatch("[0-9]{1,6}", str(count)):
            raise ValueError(
                "durations: expected whole numbers of frames, below 1000000, with "
                f"blanks between them, found {count!r}"
            )
    return list(map(int, counts))


def write_lines(path: Path, lines: Iterable[Line]) -> None:
    """Write a table that ``read_lines`` reads."""
    write_tsv(path, COLUMNS, map(astuple, lines))
