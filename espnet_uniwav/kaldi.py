"""Tables of Kaldi-style data folders: one key and its value a line."""

from __future__ import annotations

from pathlib import Path


def read_table(path: str | Path) -> dict[str, str]:
    """Read ``wav.scp``, ``text``, ``utt2spk`` and the like.

    Args:
        path: File of lines ``key value``; the value may hold blanks or be missing.

    Returns:
        Key -> value, in the order of the file.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run the stage that makes it first")
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.strip().split(maxsplit=1) for line in lines if line.strip())
    return {key: "".join(value) for key, *value in pairs}
