"""Published alignments in one table: a line for each word and phone."""

from __future__ import annotations

from pathlib import Path

from espnet_uniwav.apps.phones.alignment import Alignment
from espnet_uniwav.apps.phones.ctm import Segment, parse_seconds
from espnet_uniwav.io.audio import seconds_of
from espnet_uniwav.io.input import BLANKS, is_there
from espnet_uniwav.io.tables import TSV, read_rows
from espnet_uniwav.lab.align.tiers import are_arpabet, check_seconds, make_alignment

COLUMNS = ("utt", "tier", "start", "end", "label")
TIERS = ("words", "phones")


class TableAligner:
    """Looks up the alignment of one utterance after the other in a table.

    Columns are separated by tabs: utt, tier (words, phones; others are ignored), start
    and end (seconds), label (empty, sp or sil: silence). ARPAbet may be written in
    lower case, with stress or without.

    Args:
        path: The table.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: Naming the line, if a column is missing or a time is invalid.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.tiers: dict[str, dict[str, list[Segment]]] = {}
        self.used: set[str] = set()
        if not is_there(self.path):
            raise FileNotFoundError(f"{path}: no such file; name a table of alignments")
        for place, row in read_rows(path, COLUMNS, **TSV)[1]:
            self._add(place, row)
        if are_arpabet(s.label for own in self.tiers.values() for s in own["phones"]):
            self._write_phones_in_capitals()

    def __call__(self, utterance) -> Alignment:
        """The alignment of an utterance with a ``name``, ``path`` and ``text``.

        Raises:
            OSError, ValueError: If the table has none for it, or an unusable one.
        """
        name, path = utterance.name, self.path
        tiers = self.tiers.get(name)
        if tiers is None:
            raise ValueError(f"{path} has no line of it")
        self.used.add(name)
        for tier in TIERS:
            if not tiers[tier]:
                raise ValueError(f"{path}: {name}: expected {tier}, found none")
        words, phones = (sorted(tiers[t], key=lambda s: s.start) for t in TIERS)
        seconds = seconds_of(utterance.path)
        place = f"{path}: {name}"
        check_seconds(place, phones[-1].end, seconds)
        return make_alignment(place, name, words, phones, seconds, utterance.text)

    def unused(self) -> dict[str, str]:
        """Utterances of the table that were not requested, and a reason."""
        names = self.tiers.keys() - self.used
        return {name: "is in the table, but not in the data folder" for name in names}

    def _add(self, place: str, row: dict) -> None:
        if row["tier"] not in TIERS:
            return
        start, end = (parse_seconds(place, k, row[k]) for k in ("start", "end"))
        tiers = self.tiers.setdefault(row["utt"], {name: [] for name in TIERS})
        label = row["label"].strip(BLANKS)
        tiers[row["tier"]].append(Segment(start, end, label))

    def _write_phones_in_capitals(self) -> None:
        for own in self.tiers.values():
            own["phones"] = [
                Segment(s.start, s.end, s.label.upper()) for s in own["phones"]
            ]
