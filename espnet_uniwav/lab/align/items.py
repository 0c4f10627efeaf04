"""Items of phone ABX: the stretches of speech that are compared, as of ZeroSpeech.

    python -m espnet_uniwav.lab.align.items DATA ALIGNMENT OUT.item
    python -m espnet_uniwav.lab.align.items DATA ALIGNMENT OUT.item --unit phoneme

Reads utt2spk of the data folder and phones.ctm of `uniwav align`. A line of OUT.item is
`#file onset offset #phone prev-phone next-phone speaker`, times in seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from espnet_uniwav.apps.phones.ctm import SILENCE, Segment, fill_gaps, read_ctm
from espnet_uniwav.cli.command import run_script
from espnet_uniwav.io.kaldi import read_table
from espnet_uniwav.io.output import write_text
from espnet_uniwav.lab.align.tiers import UNKNOWN

COLUMNS = "#file", "onset", "offset", "#phone", "prev-phone", "next-phone", "speaker"
TRIPHONE, PHONEME = UNITS = "triphone", "phoneme"
NO_PHONES = {SILENCE, UNKNOWN}


class Item(NamedTuple):
    """A phone in its context; the stretch (seconds) is its own, or the triphone's."""

    file: str
    onset: float
    offset: float
    phone: str
    before: str
    after: str
    speaker: str


def make_items(
    alignments: Mapping[str, Sequence[Segment]],
    speakers: Mapping[str, str],
    unit: str = TRIPHONE,
) -> list[Item]:
    """List every phone between two others, so that both units have the same phones.

    Phones beside silence, beside an unknown word or a gap, and at either end of an
    utterance are left out.

    Args:
        alignments: Phones of each utterance.
        speakers: Speaker of each utterance; one without is left out.
        unit: ``triphone``: from the onset of the phone before to the offset of the one
            after; ``phoneme``: the phone alone.
    """
    return [
        Item(name, *stretch, speaker)
        for name, speaker in speakers.items()
        if speaker and alignments.get(name)
        for stretch in _stretches(alignments[name], unit)
    ]


def _stretches(segments: Sequence[Segment], unit: str) -> Iterator[tuple]:
    segments = fill_gaps(segments, segments[-1].end)
    for before, phone, after in zip(segments, segments[1:], segments[2:]):
        labels = phone.label, before.label, after.label
        if NO_PHONES.isdisjoint(labels):
            first, last = (before, after) if unit == TRIPHONE else (phone, phone)
            yield first.start, last.end, *labels


def write_items(
    data: Path,
    alignment: Path,
    output: Path,
    unit: Literal["triphone", "phoneme"] = "triphone",
) -> str:
    """Write the item file; raise ValueError if there is none to write.

    Args:
        data: Data folder.
        alignment: Output folder of ``uniwav align``.
        output: File (.item) to write.
        unit: What is compared, see ``make_items``.
    """
    phones = alignment / "phones.ctm"
    items = make_items(read_ctm(phones), read_table(data / "utt2spk"), unit)
    if not items:
        raise ValueError(
            f"{phones}: expected phones between others, of the utterances in "
            f"{data / 'utt2spk'}, found none; align this folder"
        )
    rows = (f"{i.file} {i.onset:.3f} {i.offset:.3f} {' '.join(i[3:])}" for i in items)
    write_text(output, "".join(f"{row}\n" for row in (" ".join(COLUMNS), *rows)))
    return f"{output}: {len(items)} items"


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(write_items, "data alignment output", argv)


if __name__ == "__main__":
    main()
