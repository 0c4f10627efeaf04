"""Features on disk: Kaldi archives, their feature spec and checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

import numpy as np
import yaml

from espnet_uniwav.core.features.base import FeatureSpec, check_spec
from espnet_uniwav.io.input import error_context, fields, read_lines, read_yaml
from espnet_uniwav.io.output import output_errors, write_text

SCP, SHAPES, SPEC, CHECKSUMS = "feats.scp", "feats_shape", "spec.yaml", "checksums"
BLOCK = 2**20


class FeatureWriter:
    """Writes features to numbered archives; resumes after the last complete one.

    An archive is complete once its checksum is in ``checksums`` (as of sha256sum).
    Anything that an interrupted run wrote after it is written again. Tables are
    replaced atomically, so that no line is ever cut off.

    Args:
        folder: Created if missing.
        spec: Spec of the features.
        shard_size: Utterances per archive.
        stale: Utterances whose features are to be written again; the old ones stay in
            their archives, which no table names.

    Attributes:
        done: Utterances that have features.
        stale: Those whose features were removed.

    Raises:
        ValueError: If the folder holds features of another spec.
    """

    def __init__(
        self,
        folder: Path,
        spec: FeatureSpec,
        shard_size: int = 1000,
        stale: Collection[str] = (),
    ):
        self.folder, self.shard_size = folder.absolute(), shard_size
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / SPEC).is_file():
            check_spec(read_spec(folder), spec, str(folder))
        write_text(folder / SPEC, yaml.safe_dump(spec.to_dict(), sort_keys=False))
        self.stale = set(stale)
        self.done = self._read_done()
        self.number = len(_lines(folder / CHECKSUMS))
        self.shapes: list[str] = []

    def write(self, name: str, x: np.ndarray) -> None:
        """Add the features (T, F) of one utterance."""
        from kaldiio import save_ark

        places = self.path.with_suffix(".scp")
        with output_errors(self.folder):
            save_ark(str(self.path), {name: x}, str(places), append=bool(self.shapes))
        self.shapes.append(f"{name} {x.shape[0]},{x.shape[1]}\n")
        if len(self.shapes) == self.shard_size:
            self._close()

    def __enter__(self) -> FeatureWriter:
        return self

    def __exit__(self, kind, *error) -> None:
        if kind is None and self.shapes:
            self._close()

    @property
    def path(self) -> Path:
        """The archive being written."""
        return self.folder / f"feats.{self.number + 1}.ark"

    def _read_done(self) -> set[str]:
        """Names in complete archives, if not stale; the tables lose all others."""
        with error_context(self.folder / CHECKSUMS):
            whole = {fields(line)[1] for line in _lines(self.folder / CHECKSUMS)}
        with error_context(self.folder / SCP):
            rows = [fields(line, 2) for line in _lines(self.folder / SCP)]
            places = {name: Path(place.rsplit(":", 1)[0]).name for name, place in rows}
        done = {name for name, archive in places.items() if archive in whole}
        self.stale &= done
        done -= self.stale
        for table in (SCP, SHAPES):
            kept = [
                own for own in _lines(self.folder / table) if fields(own)[0] in done
            ]
            write_text(self.folder / table, "".join(f"{line}\n" for line in kept))
        return done

    def _close(self) -> None:
        places = self.path.with_suffix(".scp")
        for table, lines in (
            (SCP, places.read_text(encoding="utf-8")),
            (SHAPES, "".join(self.shapes)),
        ):
            self._add(table, lines)
        places.unlink()
        self._add(CHECKSUMS, f"{file_checksum(self.path)}  {self.path.name}\n")
        self.number, self.shapes = self.number + 1, []

    def _add(self, table: str, lines: str) -> None:
        path = self.folder / table
        before = path.read_text(encoding="utf-8") if path.is_file() else ""
        write_text(path, before + lines)


def read_spec(folder: str | Path) -> FeatureSpec:
    """Read the spec of stored features.

    Raises:
        FileNotFoundError: If the folder has no spec.
    """
    path = Path(folder) / SPEC
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: make the folder with `uniwav extract`"
        )
    with error_context(path):
        return FeatureSpec.from_dict(read_yaml(path))


def check_stored(folder: str | Path) -> None:
    """Compare every archive with its checksum.

    Raises:
        ValueError: Names the archives that are broken or missing.
    """
    folder = Path(folder)
    wrong = []
    for line in _lines(folder / CHECKSUMS):
        expected, _, name = line.partition("  ")
        path = folder / Path(name).name
        if not path.is_file() or file_checksum(path) != expected:
            wrong.append(name)
    if wrong:
        raise ValueError(
            f"{folder}: broken or missing: {', '.join(wrong)}: delete the folder and "
            "extract again"
        )


def file_checksum(path: Path) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _lines(path: Path) -> list[str]:
    return list(filter(fields, read_lines(path))) if path.is_file() else []
