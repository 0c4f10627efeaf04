"""Shared parts of all task layouts: links to audio, lists, and fresh folders."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from espnet_uniwav.io.output import write_text
from espnet_uniwav.io.tables import TSV, read_rows, write_tsv
from espnet_uniwav.lab.superb.utterances import SuperbUtterance

TABLE = "utterances.tsv"
COLUMNS = ("name", "utt", "speaker", "split", "groups", "text")


def fresh_folder(folder: Path) -> Path:
    """Empties a task's folder written by this recipe, or creates it.

    Raises:
        ValueError: the folder holds something else.
    """
    if folder.exists():
        if not (folder / TABLE).is_file() and any(folder.iterdir()):
            raise ValueError(
                f"{folder} exists and was not written by this recipe (no {TABLE}): "
                "name another folder"
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / TABLE).touch()
    return folder


def link(item: SuperbUtterance, folder: Path) -> str:
    """Links an utterance's audio under its name; returns the absolute path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder.absolute() / f"{item.name}{Path(item.path).suffix.lower()}"
    os.symlink(item.path, path)
    return str(path)


def write_lines(path: Path, lines: list[str]) -> None:
    """Writes a list, one entry a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "".join(f"{line}\n" for line in lines))


def write_utterances(items: list[SuperbUtterance], folder: Path) -> None:
    """Lists the utterances in a task's splits and groups, for scoring."""
    rows = [
        (u.name, u.utt, u.speaker, u.split, ",".join(u.groups), u.text) for u in items
    ]
    write_tsv(folder / TABLE, COLUMNS, rows)


def read_utterances(folder: Path) -> dict[str, dict]:
    """Name -> row of the list; `groups` is a tuple.

    Raises:
        ValueError: the task's data are missing.
    """
    path = folder / TABLE
    if not path.is_file() or not path.stat().st_size:
        raise ValueError(f"{path} is missing or empty: run stage 1 for this task")
    rows = [row for _, row in read_rows(path, **TSV)[1]]
    for row in rows:
        row["groups"] = tuple(row["groups"].split(",")) if row["groups"] else ()
    return {row["name"]: row for row in rows}
