"""Features on disk: Kaldi archives, their feature spec and checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

import numpy as np
import yaml

from espnet_uniwav.core.features.base import FeatureSpec, check_spec
from espnet_uniwav.io.input import error_context, fields, read_yaml
from espnet_uniwav.io.output import output_errors, write_text
from espnet_uniwav.io.rows import append_rows, complete_rows, keep_rows

SCP, SHAPES, SPEC, CHECKSUMS = "feats.scp", "feats_shape", "spec.yaml", "checksums"
BLOCK = 2**20


class FeatureWriter:
    """Writes features to numbered archives; resumes after the last complete one.

    An archive is complete once its checksum is in ``checksums`` (as of sha256sum). Its
    rows are appended to the tables before. What an interrupted run leaves of an
    incomplete one is removed, and written again.

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
        self.done, self.number = self._recover()
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

    def _recover(self) -> tuple[set[str], int]:
        """Remove all but complete archives from the tables, and what is stale.

        Returns:
            Names that have features, and the number of complete archives.
        """
        with error_context(self.folder / CHECKSUMS):
            rows = complete_rows(self.folder / CHECKSUMS)
            archives = {fields(row)[1] for row in rows}
        with error_context(self.folder / SCP):
            rows = (fields(row, 2) for row in complete_rows(self.folder / SCP))
            done = {n for n, place in rows if _archive_of(place) in archives}
        self.stale &= done
        done -= self.stale
        for table in (SCP, SHAPES):
            keep_rows(self.folder / table, done.__contains__)
        keep_rows(self.folder / CHECKSUMS, lambda checksum: True)
        return done, len(archives)

    def _close(self) -> None:
        """Finish the archive; its checksum comes last, see the class."""
        places = self.path.with_suffix(".scp")
        append_rows(self.folder / SCP, places.read_text(encoding="utf-8"))
        append_rows(self.folder / SHAPES, "".join(self.shapes))
        places.unlink()
        checksum = f"{file_checksum(self.path)}  {self.path.name}\n"
        append_rows(self.folder / CHECKSUMS, checksum)
        self.number, self.shapes = self.number + 1, []


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
    for row in complete_rows(folder / CHECKSUMS):
        expected, _, name = row.partition("  ")
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


def _archive_of(place: str) -> str:
    """File name of the archive in ``FOLDER/feats.1.ark:25``."""
    return Path(place.rpartition(":")[0]).name
