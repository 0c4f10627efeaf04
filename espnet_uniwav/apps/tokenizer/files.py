"""Codes on disk: tables that ESPnet's recipes for discrete tokens read, or npz files.

A folder of text holds ``codes_1`` to ``codes_K``, one line per utterance: its name,
then the code of every frame, as the pseudo-labels of ESPnet's k-means scripts. A folder
of npz holds ``UTTERANCE.npz`` with ``codes`` (K, T). Tokenizers with digits for the
voice add a table ``voices``, or ``voice`` (digits,) to every npz.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import yaml

from espnet_uniwav.io.input import fields, read_lines, read_yaml
from espnet_uniwav.io.kaldi import read_table
from espnet_uniwav.io.output import atomic_write, file_of, output_errors, write_text

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
        voice_digits: Digits of a voice; 0: none are written.
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
        voice_digits: int = 0,
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
        if voice_digits:
            paths.append(folder / VOICES)
        kept = _complete_lines(paths)
        self.stale = set(stale) & kept[0].keys()
        for path, lines in zip(paths, kept):
            fresh = (own for name, own in lines.items() if name not in self.stale)
            write_text(path, "".join(fresh))
        self.done = kept[0].keys() - self.stale
        self.tables = [open(path, "a", encoding="utf-8") for path in paths]

    def write(self, name: str, codes: np.ndarray, voice: Sequence[int] = ()) -> None:
        """Add the codes (K, T) and the voice (voice_digits,) of one utterance."""
        voice = np.array(voice, dtype=np.uint8)
        if self.form == "npz":
            voices = {"voice": voice} if len(voice) else {}
            with atomic_write(file_of(self.folder, name, ".npz"), "wb") as f:
                np.savez_compressed(f, codes=codes.astype(np.uint16), **voices)
        for table, own in zip(self.tables, [*codes, voice]):
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


def read_voices(folder: Path) -> dict[str, np.ndarray]:
    """Read utterance -> voice (voice_digits,), of either format; empty without voices.

    Raises:
        ValueError: Naming the file and the utterance that are broken.
    """
    if archives := sorted(folder.glob("*.npz")):
        found = {path.stem: _read_archive(path, "voice") for path in archives}
        return {name: own for name, own in found.items() if own is not None}
    if not (folder / VOICES).is_file():
        return {}
    voices = {}
    for name, line in read_table(folder / VOICES).items():
        try:
            voices[name] = np.array(list(map(int, fields(line))))
        except ValueError as error:
            raise ValueError(
                f"{folder / VOICES}: {name}: expected whole numbers; make the codes "
                "again"
            ) from error
    return voices


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


def _complete_lines(paths: list[Path]) -> list[dict[str, str]]:
    """Name -> line of every table, for names with a complete line in all tables."""
    tables = []
    for path in paths:
        lines = read_lines(path) if path.is_file() else []
        if lines and not path.read_bytes().endswith(b"\n"):
            lines.pop()
        tables.append({fields(own)[0]: f"{own}\n" for own in lines if fields(own)})
    whole = set.intersection(*map(set, tables))
    return [{k: v for k, v in table.items() if k in whole} for table in tables]
