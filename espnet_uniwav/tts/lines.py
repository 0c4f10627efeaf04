"""Tables of lines: what is read aloud, how, and what it should sound like."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

FORMAT = dict(delimiter="\t", quoting=csv.QUOTE_NONE)


@dataclass(frozen=True)
class Line:
    """A line of the table; empty strings where nothing is said.

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


COLUMNS = tuple(field.name for field in fields(Line))


def read_lines(path: Path, needed: Sequence[str] = ("name",)) -> list[Line]:
    """Read a table: tab-separated, with a head.

    Args:
        path: File.
        needed: Columns in which no line may be empty.

    Raises:
        FileNotFoundError, ValueError: Naming the file, the line and what is wrong.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    with open(path, encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f, **FORMAT))
    lines, names = [], set()
    for number, row in enumerate(rows, 2):
        if odd := sorted(str(key) for key in set(row) - set(COLUMNS)):
            raise ValueError(f"{path}: unknown columns {odd}; choose from {COLUMNS}")
        line = Line(**{key: value or "" for key, value in row.items()})
        if empty := [key for key in needed if not getattr(line, key)]:
            raise ValueError(f"{path}, line {number}: expected {', '.join(empty)}")
        if "/" in line.name or line.name in names:
            raise ValueError(
                f"{path}, line {number}: expected a new name without slashes, found "
                f"{line.name!r}"
            )
        names.add(line.name)
        lines.append(line)
    if not lines:
        raise ValueError(f"{path}: expected a head and lines below it, found none")
    return lines


def write_lines(path: Path, lines: Iterable[Line]) -> None:
    """Write a table that ``read_lines`` reads."""
    with open(path, "w", encoding="utf-8", newline="") as f:
        writer = csv.DictWriter(f, COLUMNS, lineterminator="\n", **FORMAT)
        writer.writeheader()
        writer.writerows(map(asdict, lines))
