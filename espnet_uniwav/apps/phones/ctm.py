"""The file format of all alignments: NIST CTM, times in seconds with 3 decimals.

A line is ``utt 1 start duration label``; lines are sorted by utterance (by code
points, as ``LC_ALL=C sort`` does), then by time. ``;;`` opens a comment. Times are
rounded to milliseconds, so that adjacent segments stay adjacent when read back.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from espnet_uniwav.io.input import fields, is_field, is_there, read_lines
from espnet_uniwav.io.output import atomic_write

SILENCE = "SIL"
CHANNELS = ("1", "A")


@dataclass(frozen=True)
class Segment:
    """A label from ``start`` to ``end`` (seconds)."""

    start: float
    end: float
    label: str

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.end - self.start


def write_ctm(path: str | Path, alignments: Mapping[str, Sequence[Segment]]) -> None:
    """Write the segments of all utterances; the file appears only when complete.

    Args:
        path: File to write.
        alignments: Segments of each utterance, in order of time.

    Raises:
        ValueError: If segments are unsorted, overlap, are shorter than 0.5 ms, or if
            a name or label is empty or holds a blank.
    """
    path = Path(path)
    with atomic_write(path) as file:
        for utt in sorted(alignments):
            file.writelines(_format(path, utt, alignments[utt]))


def read_ctm(path: str | Path) -> dict[str, list[Segment]]:
    """Read the segments of all utterances; a column of confidence is ignored.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: Naming file and line, if a line is not of this format, unsorted,
            or overlaps the one before.
    """
    path = Path(path)
    if not is_there(path):
        raise FileNotFoundError(f"{path}: no such file; make it with `uniwav align`")
    alignments: dict[str, list[Segment]] = {}
    last = ""
    for place, line in _lines(path):
        utt, segment = _parse(place, line)
        if utt < last:
            raise ValueError(
                f"{place}: expected an utterance after {last!r}, found {utt!r}; sort "
                "the file with `LC_ALL=C sort -k1,1 -k3,3n`"
            )
        segments = alignments.setdefault(utt, [])
        _check_order(place, segments[-1] if segments else None, segment)
        segments.append(segment)
        last = utt
    return alignments


def check_segments(place: str, utt: str, segments: Sequence[Segment]) -> list[Segment]:
    """Round segments to milliseconds; raise ``write_ctm``'s errors about them.

    Args:
        place: Start of the messages, such as the name of a file.
        utt: Name of the utterance.
        segments: In order of time.
    """
    checked: list[Segment] = []
    for segment in segments:
        for name in (utt, segment.label):
            if not is_field(name):
                raise ValueError(f"{place}: expected a name without blanks: {name!r}")
        segment = Segment(_round(segment.start), _round(segment.end), segment.label)
        _check_order(place, checked[-1] if checked else None, segment)
        checked.append(segment)
    return checked


def fill_gaps(segments: Sequence[Segment], seconds: float) -> list[Segment]:
    """Fill gaps with silence from 0 to ``seconds``; cut segments after that.

    Times are rounded to milliseconds; segments that then have no length are left out.
    """
    total = _round(seconds)
    filled, end = [], 0.0
    for segment in segments:
        start, stop = _round(segment.start), min(_round(segment.end), total)
        if stop <= start:
            continue
        if start > end:
            filled.append(Segment(end, start, SILENCE))
        filled.append(Segment(start, stop, segment.label))
        end = stop
    if end < total:
        filled.append(Segment(end, total, SILENCE))
    return filled


def frame_labels(
    segments: Sequence[Segment],
    num_frames: int,
    frame_rate: float,
    outside: str = SILENCE,
) -> np.ndarray:
    """The label at the centre of each frame.

    Frame i has its centre at i / frame_rate seconds, as log-mel frames do. A segment
    holds its start and not its end.

    Args:
        segments: Sorted, not overlapping.
        num_frames: T.
        frame_rate: Hz.
        outside: Label of frames that no segment covers.

    Returns:
        (T,) array of str.
    """
    starts = np.array([s.start for s in segments])
    ends = np.array([-math.inf, *(s.end for s in segments)])
    labels = np.array([outside, *(s.label for s in segments)])
    centres = np.arange(num_frames) / frame_rate
    index = np.searchsorted(starts, centres, side="right")
    return labels[np.where(centres < ends[index], index, 0)]


def _format(path: Path, utt: str, segments: Sequence[Segment]) -> Iterator[str]:
    for segment in check_segments(f"{path}: {utt}", utt, segments):
        yield f"{utt} 1 {segment.start:.3f} {segment.duration:.3f} {segment.label}\n"


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(read_lines(path), 1):
        if fields(line) and not line.startswith(";;"):
            yield f"{path}, line {number}", line


def _parse(place: str, line: str) -> tuple[str, Segment]:
    cells = fields(line)
    if len(cells) not in (5, 6) or cells[1] not in CHANNELS:
        raise ValueError(
            f"{place}: expected `utt 1 start duration label`, found {line!r}"
        )
    utt, _, start, duration, label = cells[:5]
    first = parse_seconds(place, "start", start)
    end = first + parse_seconds(place, "duration", duration)
    return utt, Segment(_round(first), _round(end), label)


def parse_seconds(place: str, name: str, value: str) -> float:
    """Read a time.

    Raises:
        ValueError: Naming the place and the time, unless it is zero or more.
    """
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ValueError(
            f"{place}: expected {name} in seconds, zero or more, found {value!r}"
        )
    return seconds


def _round(seconds: float) -> float:
    """Round to milliseconds, giving the same double as the decimals in a file."""
    return round(seconds * 1000) / 1000


def _check_order(place: str, before: Segment | None, segment: Segment) -> None:
    if segment.start < 0 or segment.end <= segment.start:
        raise ValueError(
            f"{place}: expected a segment of at least 1 ms, found {segment.label!r} "
            f"from {segment.start} to {segment.end} s"
        )
    if before is not None and segment.start < before.start:
        raise ValueError(
            f"{place}: expected a start after {before.start} s, found {segment.start}; "
            "sort the segments by time"
        )
    if before is not None and segment.start < before.end:
        raise ValueError(
            f"{place}: {segment.label!r} starts at {segment.start} s, before "
            f"{before.label!r} ends at {before.end} s; remove one of the two"
        )
