"""Scores that were computed before, in a JSON file."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from espnet_uniwav.io.output import check_output, write_text
from espnet_uniwav.lab.score.word_errors import Errors


class ScoreCache:
    """Scores by a key that changes with all that they depend on.

    Args:
        kind: Dataclass of the scores; its ``errors`` are ``Errors`` or None.
        path: File; None keeps the scores in memory alone.
    """

    def __init__(self, kind: type, path: Path | None = None):
        self.kind, self.path = kind, path
        self.rows: dict[str, dict] = {}
        if path is not None:
            check_output(path)
        if path is not None and path.is_file():
            self.rows = json.loads(path.read_text(encoding="utf-8"))

    def get(self, key: str):
        """The stored score, or None."""
        row = self.rows.get(key)
        if row is None:
            return None
        return self.kind(**{**row, "errors": row["errors"] and Errors(**row["errors"])})

    def put(self, key: str, score) -> None:
        """Store a score; ``save`` writes it."""
        self.rows[key] = asdict(score)

    def save(self) -> None:
        """Write the file."""
        if self.path is not None:
            write_text(self.path, json.dumps(self.rows, indent=0))
