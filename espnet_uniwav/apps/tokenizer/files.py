"""Codes on disk: tables that ESPnet's recipes for discrete tokens read, or npz files.

A folder of text holds ``codes_1`` to ``codes_K``, one line per utterance: its name,
then the code of every frame, as the pseudo-labels of ESPnet's k-means scripts. A folder
of npz holds ``UTTERANCE.npz`` with ``codes`` (K, T). Tokenizers with speaker codes add
a table ``voices``, or ``voice`` (speaker_code_length,) to every npz.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import yaml

from espnet_uniwav.io.input import error_context, fields, read_yaml
from espnet_uniwav.io.kaldi import read_table
from espnet_uniwav.io.output import atomic_write, file_of, output_errors, write_text
from espnet_uniwav.io.rows import complete_rows, keep_rows, row_name

FORMATS = ("text", "npz")
ORIGIN, VOICES = "tokenizer.yaml", "voices"


class CodeWriter:
    """Writes the codes of utterances to a folder, and keeps track of their names.

    Incomplete lines and files of an interrupted run are removed first.

    Args:
        folder: Created if missing.
        num_codebooks: K.
        form: One of ``FORMATS``.
        origin: Identifies the tokenizer; saved in tokenizer.yaml.
        speaker_code_length: Of the tokenizer; 0: no speaker codes are written.
        stale: Utterances whose codes are to be written again.

    Attributes:
        done: Utterances that have codes.
        stale: Those whose codes were removed.

    Raises:
        ValueError: If the folder holds codes of another tokenizer or format.
    """

    def __init__(
        self,
        folder: Path,
        num_codebooks: int,
        form: str = "text",
        origin: dict | None = None,
        speaker_code_length: int = 0,
        stale: Collection[str] = (),
    ):
        self.folder, self.form = folder, form
        folder.mkdir(parents=True, exist_ok=True)
        _check_origin(folder / ORIGIN, {**(origin or {}), "format": form})
        self.tables = []
        if form == "npz":
            found = {path.stem: path for path in folder.glob("*.npz")}
            self.stale = set(stale) & found.keys()
            for name in self.stale:
                found.pop(name).unlink()
            self.done = set(found)
            return
        paths = [folder / f"codes_{k + 1}" for k in range(num_codebooks)]
        if speaker_code_length:
            paths.append(folder / VOICES)
        names = [set(map(row_name, complete_rows(path))) for path in paths]
        in_all = set.intersection(*names)
        self.stale = set(stale) & in_all
        self.done = in_all - self.stale
        for path in paths:
            keep_rows(path, self.done.__contains__)
        self.tables = [open(path, "a", encoding="utf-8") for path in paths]

    def write(self, name: str, codes: np.ndarray, speaker: Sequence[int] = ()) -> None:
        """Add the codes (K, T) and the speaker code of one utterance."""
        speaker = np.array(speaker, dtype=np.uint8)
        if self.form == "npz":
            more = {"voice": speaker} if len(speaker) else {}
            with atomic_write(file_of(self.folder, name, ".npz"), "wb") as f:
                np.savez_compressed(f, codes=codes.astype(np.uint16), **more)
        for table, own in zip(self.tables, [*codes, speaker]):
            with output_errors(self.folder):
                table.write(f"{name} {' '.join(map(str, own.tolist()))}\n")
                table.flush()

    def __enter__(self) -> CodeWriter:
        return self

    def __exit__(self, *error) -> None:
        for table in self.tables:
            with output_errors(self.folder):
                table.close()


def read_codes(folder: Path) -> dict[str, np.ndarray]:
    """Read utterance -> codes (K, T), of either format.

    Raises:
        FileNotFoundError: If the folder holds no codes.
        ValueError: Naming the table and the utterance that are broken.
    """
    archives = sorted(folder.glob("*.npz"))
    if archives:
        return {path.stem: _read_archive(path) for path in archives}
    tables, k = [], 1
    while k == 1 or (folder / f"codes_{k}").is_file():
        tables.append(read_table(folder / f"codes_{k}"))
        k += 1
    codes = {}
    for name in tables[0]:
        try:
            rows = [list(map(int, fields(table[name]))) for table in tables]
            codes[name] = np.array(rows, dtype=np.int64)
        except (KeyError, ValueError, OverflowError) as error:
            raise ValueError(
                f"{folder}: {name}: expected as many whole numbers in each of "
                f"{len(tables)} tables; make the codes again"
            ) from error
    return codes


def count_stored(folder: Path, num_codebooks: int, codebook_size: int) -> np.ndarray:
    """How often each code (K, V) stands in a folder, of either format.

    Only one utterance at a time is in memory.

    Raises:
        ValueError: Naming the folder, if it holds other codes.
    """
    counts = np.zeros((num_codebooks, codebook_size))
    with error_context(folder):
        for path in folder.glob("*.npz"):
            for own, codes in zip(counts, _read_archive(path)):
                own += np.bincount(codes, minlength=codebook_size)
        for k, own in enumerate(counts, 1):
            for row in complete_rows(folder / f"codes_{k}"):
                codes = np.fromstring(fields(row, 2)[-1], dtype=np.int64, sep=" ")
                own += np.bincount(codes, minlength=codebook_size)
    return counts


def read_speakers(folder: Path) -> dict[str, np.ndarray]:
    """Read utterance -> speaker code, of either format; empty if there are none.

    Raises:
        ValueError: Naming the file and the utterance that are broken.
    """
    if archives := sorted(folder.glob("*.npz")):
        found = {path.stem: _read_archive(path, "voice") for path in archives}
        return {name: own for name, own in found.items() if own is not None}
    if not (folder / VOICES).is_file():
        return {}
    speakers = {}
    for name, line in read_table(folder / VOICES).items():
        try:
            speakers[name] = np.array(list(map(int, fields(line))))
        except ValueError as error:
            raise ValueError(
                f"{folder / VOICES}: {name}: expected whole numbers; make the codes "
                "again"
            ) from error
    return speakers


def _read_archive(path: Path, key: str = "codes") -> np.ndarray | None:
    """One array of an archive; None if only the voice is missing."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            if key == "voice" and key not in archive:
                return None
            return archive[key].astype(np.int64)
    except Exception as error:  # a damaged zip raises anything
        raise ValueError(f"{path}: expected codes (K, T); make it again") from error


def _check_origin(path: Path, origin: dict) -> None:
    """Save the origin of the codes, or compare it with the one already saved."""
    if not path.is_file():
        return write_text(path, yaml.safe_dump(origin, sort_keys=False))
    found = read_yaml(path)
    wrong = [
        f"{key}: expected {value}, found {found.get(key)}"
        for key, value in origin.items()
        if found.get(key) != value
    ]
    if wrong:
        raise ValueError(
            f"{path}: the codes in this folder are of another tokenizer: "
            f"{'; '.join(wrong)}; name another folder, or delete this one"
        )
