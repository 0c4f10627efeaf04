"""Of which recordings the results in a folder were made: ``recordings.tsv``.

A folder without this table, of an older version, is taken to be up to date.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from espnet_uniwav.io.source import Source, stamp
from espnet_uniwav.io.tables import write_tsv

TABLE = "recordings.tsv"


def find_changed(folder: Path, sources: Mapping[str, Source]) -> set[str]:
    """Names whose recordings are not those of the table."""
    before = _read(folder / TABLE)
    known = {name: own for name, own in sources.items() if name in before}
    now = {name: stamp(source) for name, source in known.items()}
    return {name for name, own in now.items() if own and own != before[name]}


def write_stamps(folder: Path, sources: Mapping[str, Source]) -> None:
    """Write what the recordings are now; before they are read, results removed.

    So a kill, or a change of a recording meanwhile, only gives the next run more work.
    """
    now = {name: stamp(source) for name, source in sources.items()}
    known = {**_read(folder / TABLE), **{k: v for k, v in now.items() if v}}
    write_tsv(folder / TABLE, ("name", "stamp"), known.items())


def describe_changed(stale: Collection[str]) -> str:
    """Part of a summary: how many results were made again."""
    return f", {len(stale)} again, of recordings that have changed" if stale else ""


def _read(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[1:]
    return dict(line.split("\t") for line in lines if line.count("\t") == 1)
