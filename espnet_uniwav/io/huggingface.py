"""Data sets of Hugging Face: saved or parquet folders, audio folders, the hub.

Rows are read one by one, and the hub's are streamed. No code of a data set runs:
``datasets`` 4 and newer can run none. Audio that is stored in the rows is in memory for
one row at a time.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from espnet_uniwav.io.input import clean_id, error_context, read_lines
from espnet_uniwav.io.source import Source, Stream, Utterance
from espnet_uniwav.io.tables import read_rows

PREFIX = "hf:"
STATE, SPLITS, INFO = "state.json", "dataset_dict.json", "dataset_info.json"
# A file of the hub, or one in an archive there: no other URL is opened.
ON_HUB = re.compile("((zip|tar)://[^:]*::)?hf://")
METADATA = ("metadata.csv", "metadata.jsonl")
# Names of columns, as data sets of speech call them; the first that is there is used.
AUDIO = ("audio", "speech", "file_name", "file", "path")
TEXT = ("text", "sentence", "transcription", "transcript", "normalized_text")
SPEAKER = ("speaker_id", "speaker", "client_id", "spk_id")
NAME = ("id", "utt_id", "utt", "segment_id")


def find_rows(path: Path) -> dict[str, Iterable[Utterance]] | None:
    """The utterances of a data set.

    Args:
        path: A folder: of ``save_to_disk``, with parquet files, or with audio and
            ``metadata.csv`` or ``.jsonl``. Or ``hf:NAME[/CONFIG][:SPLIT]``: NAME is
            OWNER/NAME on the hub, or a folder.

    Returns:
        Name of the split -> utterances, in an iterator; None: no data set.

    Raises:
        ValueError: Naming the data set, if it cannot be read.
        ImportError: If ``datasets`` is missing, or older than version 4.
    """
    name, split, named = str(path), "", str(path).startswith(PREFIX)
    if named:
        name, split = _cut_split(name.removeprefix(PREFIX))
    if not name:
        raise ValueError(f"{path}: expected hf:NAME, found no name")
    parts = _audio_folders(Path(name))
    if not parts and (named or _is_stored(Path(name))):
        parts = _open(name)
    if not split:
        return parts
    if split not in parts:
        raise ValueError(
            f"{PREFIX}{name}: expected the split {split}, found {', '.join(parts)}"
        )
    return {split: parts[split]}


def _cut_split(name: str) -> tuple[str, str]:
    """``NAME:SPLIT`` in its two parts; the second one may be missing."""
    if Path(name).exists() or ":" not in name:
        return name, ""
    name, _, split = name.rpartition(":")
    return name, split


def _audio_folders(path: Path) -> dict[str, Iterable[Utterance]] | None:
    """Folders with audio and a table of it: this one, or those right below."""
    if not path.is_dir():
        return None
    below = sorted(own for own in path.iterdir() if own.is_dir())
    folders, names = [own for own in (path, *below) if _metadata(own)], {}
    return {own.name: _read_audio_folder(own, names) for own in folders} or None


def _is_stored(path: Path) -> bool:
    """Whether a folder is one of ``save_to_disk``, or has parquet files."""
    marked = any((path / mark).is_file() for mark in (STATE, SPLITS, INFO))
    return marked or any(path.glob("*.parquet")) or any(path.glob("data/*.parquet"))


def _metadata(folder: Path) -> Path | None:
    """The table of an audio folder; others have tables of that name, too."""
    for path in (folder / name for name in METADATA):
        if path.is_file():
            with open(path, "rb") as file:
                if b"file_name" in file.readline(1 << 16):
                    return path
    return None


def _read_audio_folder(folder: Path, names: dict[str, int]) -> Iterator[Utterance]:
    path = _metadata(folder)
    if path.suffix == ".csv":
        rows = read_rows(path, ("file_name",))[1]
    else:
        lines = enumerate(read_lines(path), 1)
        rows = [(f"{path}, line {i}", _parse(path, i, x)) for i, x in lines if x]
    yield from _utterances(rows, "file_name", folder, names)


def _parse(path: Path, number: int, line: str) -> dict:
    try:
        if isinstance(row := json.loads(line), dict):
            return row
        reason = type(row).__name__
    except (ValueError, RecursionError) as error:
        reason = str(error)
    raise ValueError(f"{path}, line {number}: expected a JSON object, found {reason}")


def _open(name: str) -> dict[str, Iterable[Utterance]]:
    """The splits of a saved folder, a folder of parquet files, or a name on the hub."""
    datasets = _import_datasets(name)
    folder = Path(name)
    with error_context(f"{PREFIX}{name}"):
        if any((folder / mark).is_file() for mark in (STATE, SPLITS)):
            found = datasets.load_from_disk(name)
        elif folder.exists():
            found = datasets.load_dataset(name, streaming=True)
        else:
            parts = name.split("/")
            config = "/".join(parts[2:]) or None
            found = datasets.load_dataset("/".join(parts[:2]), config, streaming=True)
    splits = found if isinstance(found, dict) else {folder.name: found}
    names: dict[str, int] = {}
    return {
        key: _read_split(name, key, own, datasets, names) for key, own in splits.items()
    }


def _import_datasets(name: str):
    try:
        import datasets
    except ImportError as error:
        raise ImportError(
            f"{name}: a data set of Hugging Face needs datasets: "
            f'pip install "espnet_uniwav[datasets]" ({error})'
        ) from error
    if int(datasets.__version__.partition(".")[0]) < 4:
        raise ImportError(
            f"{name}: expected datasets 4 or newer, which runs no code of a data set, "
            f"found {datasets.__version__}: "
            'pip install "espnet_uniwav[datasets]"'
        )
    return datasets


def _read_split(
    name: str, split: str, rows, datasets, names: dict[str, int]
) -> Iterator[Utterance]:
    """The rows of a split, whose other columns are not read.

    Args:
        name, split: Of the data set, for errors.
        rows: ``Dataset`` or ``IterableDataset``.
        datasets: The package.
        names: See ``_utterances``.
    """
    rows = rows.with_format(None)
    features = rows.features or {}
    audio = [key for key, kind in features.items() if isinstance(kind, datasets.Audio)]
    for key in audio:
        rows = rows.cast_column(key, datasets.Audio(decode=False))
    column = (audio or [key for key in AUDIO if key in features or not features])[0:1]
    if not column:
        raise ValueError(
            f"{name}, split {split}: expected a column of audio ({', '.join(AUDIO)}), "
            f"found {', '.join(features)}; rename one"
        )
    if features:
        known = {*column, *TEXT, *SPEAKER, *NAME}
        rows = rows.select_columns([key for key in features if key in known])
    with error_context(f"{PREFIX}{name}"):
        places = ((f"{name}, {split}, row {i}", row) for i, row in enumerate(rows))
        yield from _utterances(places, column[0], Path(name), names)


def _utterances(
    rows: Iterable[tuple[str, dict]], audio: str, folder: Path, names: dict[str, int]
) -> Iterator[Utterance]:
    """Utterances of rows; a name that was used before gets a number.

    Args:
        rows: Place, for errors, and cells.
        audio: Name of the column of the audio.
        folder: Where relative paths begin.
        names: How often each name was used in this data set, counted on here.
    """
    for place, row in rows:
        source, stem = _source(place, row.get(audio), folder)
        name = clean_id(_first(row, NAME) or stem) or "utterance"
        names[name] = names.get(name, 0) + 1
        if names[name] > 1:
            name = f"{name}-{names[name]}"
        yield Utterance(name, source, _first(row, SPEAKER), _first(row, TEXT))


def _first(row: dict, columns: Iterable[str]) -> str:
    """The first cell that is not empty; lists and the like are none."""
    cells = (row.get(key) for key in columns)
    return next((str(x) for x in cells if isinstance(x, (str, int)) and str(x)), "")


def _source(place: str, cell, folder: Path) -> tuple[Source, str]:
    """The audio of a row, and the name of its file without the suffix."""
    known = cell if isinstance(cell, dict) else {"path": cell}
    path, content = known.get("path") or "", known.get("bytes")
    if not isinstance(path, str) or not isinstance(content, (bytes, type(None))):
        raise ValueError(
            f"{place}: expected audio as a path, or with bytes and path, found "
            f"{type(cell).__name__}; cast the column to datasets.Audio"
        )
    stem = Path(path).stem
    if content is None and ON_HUB.match(path):
        import fsspec

        with fsspec.open(path, "rb") as file:
            content = file.read()
    if content is None and path:
        return folder / path, stem
    if content is None:
        logging.warning("%s: no audio", place)
    return Stream(f"{place} ({path})", content or b""), stem
