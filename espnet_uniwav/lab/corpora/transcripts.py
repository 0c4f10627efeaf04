"""The table of a corpus folder, `transcripts.tsv`: one utterance per line.

Columns are separated by tabs: utt, speaker, path (absolute, or relative to the folder),
seconds, text (may be empty), split (train, dev or test), source (which corpus).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from espnet_uniwav.io.audio import seconds_of
from espnet_uniwav.io.tables import TSV, read_rows, write_tsv

TABLE = "transcripts.tsv"
SPLITS = ("train", "dev", "test")
NUM_SOURCES = 5


@dataclass(frozen=True)
class Transcript:
    """One utterance in its own file. ``seconds`` is its duration."""

    utt: str
    speaker: str
    path: str
    seconds: float
    text: str
    split: str
    source: str


def read_transcripts(folder: str | Path) -> list[Transcript]:
    """Read a corpus folder; paths become absolute.

    Only the columns path and split are required. By default utt is the name of the
    file, speaker the utterance, source the folder, and seconds come from the audio.

    Raises:
        FileNotFoundError: If the table, or audio to measure, is missing.
        ValueError: Naming the line, if a column, a path or a split is wrong.
    """
    cells = read_cells(folder, ("path", "split"))
    return [_read_row(place, row) for place, row in cells]


def read_cells(
    folder: str | Path, needed: Sequence[str] = ("path",)
) -> list[tuple[str, dict[str, str]]]:
    """Read a corpus folder's table as it stands.

    Args:
        folder: Holds the table.
        needed: Columns that must be there.

    Returns:
        Of every line its place, for errors, and its cells; a missing cell is empty.

    Raises:
        FileNotFoundError: If there is no table.
        ValueError: Naming what is missing, or the line that cannot be read.
    """
    path = Path(folder) / TABLE
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; is {folder} a corpus folder?")
    return read_rows(path, needed, **TSV)[1]


def write_transcripts(folder: str | Path, rows: Iterable[Transcript]) -> Path:
    """Write a corpus folder's table atomically."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    columns = [field.name for field in fields(Transcript)]
    cells = ([_format(value) for value in astuple(row)] for row in rows)
    write_tsv(folder / TABLE, columns, cells)
    return folder / TABLE


def describe(rows: Sequence[Transcript]) -> str:
    """One line per split: utterances, hours, speakers, and the largest sources."""
    lines = []
    for split in SPLITS:
        part = [row for row in rows if row.split == split]
        hours = sum(row.seconds for row in part) / 3600
        speakers = len({row.speaker for row in part})
        counts = Counter(row.source for row in part).most_common()
        sources = ", ".join(f"{name} {count}" for name, count in counts[:NUM_SOURCES])
        rest = f" and {len(counts) - NUM_SOURCES} more sources"
        lines.append(
            f"{split:5} {len(part):6} utterances {hours:7.2f} h {speakers:4} speakers"
            f"  {sources}{rest if len(counts) > NUM_SOURCES else ''}".rstrip()
        )
    return "\n".join(lines)


def _read_row(place: str, row: dict) -> Transcript:
    path, split = row["path"], row["split"]
    if not path:
        raise ValueError(f"{place}: expected a path, found none")
    if split not in SPLITS:
        raise ValueError(f"{place}: expected train, dev or test, found {split!r}")
    file, _, _ = place.rpartition(", line ")
    folder = Path(file).parent
    path = os.path.abspath(folder / path)
    utt = row.get("utt") or Path(path).stem
    return Transcript(
        utt,
        row.get("speaker") or utt,
        path,
        _seconds(place, row.get("seconds"), path),
        row.get("text", ""),
        split,
        row.get("source") or folder.resolve().name,
    )


def _seconds(place: str, value: str | None, path: str) -> float:
    if not value:
        return seconds_of(path)
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"{place}: expected seconds, found {value!r}") from None


def _format(value: str | float) -> str:
    return f"{value:.3f}" if isinstance(value, float) else " ".join(value.split())
