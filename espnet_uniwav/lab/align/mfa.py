"""Alignments by the Montreal Forced Aligner: a folder of TextGrids, read by praatio."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from espnet_uniwav.apps.phones.alignment import Alignment
from espnet_uniwav.apps.phones.ctm import Segment
from espnet_uniwav.io.audio import seconds_of
from espnet_uniwav.lab.align.tiers import check_seconds, make_alignment

SUFFIX = ".TextGrid"


class MFAAligner:
    """Finds the TextGrid of one utterance after the other below a folder.

    A file belongs to the utterance that has the name of its stem, of its path below
    the folder (joined by - or _), or of its speaker and its stem, in this order.

    Args:
        folder: What MFA wrote, flat or with one folder for each speaker.

    Raises:
        FileNotFoundError: If it holds no TextGrid.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.paths = sorted(self.folder.rglob(f"*{SUFFIX}"))
        if not self.paths:
            raise FileNotFoundError(
                f"{folder}: expected *{SUFFIX} files in it or below it, found none"
            )
        self.used: set[Path] = set()
        self._by_name: dict[str, set[Path]] = defaultdict(set)
        for path in self.paths:
            parts = path.relative_to(folder).with_suffix("").parts
            for name in (path.stem, "-".join(parts), "_".join(parts)):
                self._by_name[name].add(path)

    def __call__(self, utterance) -> Alignment:
        """The alignment of an utterance with a ``name``, ``path`` and ``speaker``.

        Raises:
            OSError, ValueError: If there is no TextGrid for it, or an unusable one.
        """
        path = self.find(utterance.name, utterance.speaker)
        self.used.add(path)
        seconds = seconds_of(utterance.path)
        return read_textgrid(
            path, utterance.name, seconds, utterance.speaker, utterance.text
        )

    def find(self, utt: str, speaker: str) -> Path:
        """The file of an utterance.

        Raises:
            ValueError: If there is none, or more than one.
        """
        names = [utt]
        for mark in "-_":
            if speaker and utt.startswith(speaker + mark):
                names.append(utt[len(speaker) + 1 :])
        for name in names:
            paths = self._by_name.get(name, ())
            if len(paths) == 1:
                return next(iter(paths))
            if paths:
                found = ", ".join(sorted(str(path) for path in paths))
                raise ValueError(f"more than one TextGrid: {found}")
        raise ValueError(f"no TextGrid named {' or '.join(names)} below {self.folder}")

    def unused(self) -> dict[str, str]:
        """TextGrids that belong to no utterance: path in the folder, and a reason."""
        names = (p.relative_to(self.folder) for p in self.paths if p not in self.used)
        return {str(name): "belongs to no utterance" for name in names}


def read_textgrid(
    path: str | Path, utt: str, seconds: float, speaker: str = "", text: str = ""
) -> Alignment:
    """Read the tiers ``words`` and ``phones``, or ``speaker - words`` and so on.

    Args:
        path: A TextGrid.
        utt: Name of the utterance, for the errors.
        seconds: Duration of the audio.
        speaker: Whose tiers to take if there are those of more than one.
        text: Of the utterance; words are written as in it.

    Raises:
        ValueError: If it cannot be read, lacks a tier, or has another duration.
    """
    grid = _open(path)
    check_seconds(str(path), grid.maxTimestamp, seconds)
    tiers = {tier.name: tier.entries for tier in grid.tiers}
    phones, words = (
        [
            Segment(entry.start, entry.end, entry.label)
            for entry in choose_tier(path, tiers, name, speaker)
        ]
        for name in ("phones", "words")
    )
    return make_alignment(str(path), utt, words, phones, seconds, text)


def choose_tier(path: str | Path, tiers: Mapping, name: str, speaker: str = ""):
    """The entries of a tier: that of this name, of the speaker, or of the only one.

    Raises:
        ValueError: If there is no such tier, or the choice is ambiguous.
    """
    for exact in (name, f"{speaker} - {name}"):
        if exact in tiers:
            return tiers[exact]
    endings = [found for found in tiers if found.endswith(f" - {name}")]
    if len(endings) == 1:
        return tiers[endings[0]]
    raise ValueError(
        f"{path}: expected a tier {name!r} or '{speaker} - {name}', found "
        f"{', '.join(map(repr, tiers)) or 'none'}"
    )


def _open(path: str | Path):
    from praatio import textgrid

    try:
        return textgrid.openTextgrid(str(path), includeEmptyIntervals=False)
    except Exception as error:
        raise ValueError(f"{path}: cannot be read as a TextGrid ({error})") from error
