"""What ``uniwav align`` writes: CTM files, and the list of what failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from espnet_uniwav.apps.phones.ctm import Segment, write_ctm
from espnet_uniwav.io.jobs import write_failed


@dataclass(frozen=True)
class Alignment:
    """One utterance.

    Attributes:
        units: Phones, or the tokens of a model, from 0 to the end of the audio.
        words: Words, with gaps at silences; None if unknown.
    """

    units: list[Segment]
    words: list[Segment] | None


def write_folder(
    folder: str | Path,
    alignments: Mapping[str, Alignment],
    reasons: Mapping[str, str],
    unit: str = "phones",
) -> None:
    """Write ``phones.ctm`` (or ``tokens.ctm``), ``words.ctm`` and ``failed.tsv``.

    Files of an earlier alignment in the same folder are deleted.

    Args:
        folder: Made if it does not exist.
        alignments: By utterance.
        reasons: Why the others could not be aligned.
        unit: ``phones`` or ``tokens``.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("phones", "tokens", "words"):
        (folder / f"{name}.ctm").unlink(missing_ok=True)
    units = {utt: found.units for utt, found in alignments.items()}
    words = {utt: found.words for utt, found in alignments.items()}
    write_ctm(folder / f"{unit}.ctm", units)
    if None not in words.values():
        write_ctm(folder / "words.ctm", words)
    write_failed(folder, dict(sorted(reasons.items())))
