"""From segments to tokens with durations in frames, for ESPnet's TTS task."""

from __future__ import annotations

import math
from collections.abc import Sequence

from espnet_uniwav.apps.phones.ctm import Segment


def token_durations(
    segments: Sequence[Segment], num_frames: int, frame_rate: float
) -> tuple[list[str], list[int]]:
    """Count the frames of every segment.

    A frame belongs to the segment that holds its centre, as in ``frame_labels``. A
    segment between two centres has zero frames.

    Args:
        segments: Sorted, without gaps, from 0 to the end of the audio.
        num_frames: T.
        frame_rate: Hz.

    Returns:
        Labels, and frames, which sum to T.

    Raises:
        ValueError: If there is no segment, or a gap between two segments.
    """
    if not segments:
        raise ValueError("no segments")
    gaps = [b.start for a, b in zip(segments, segments[1:]) if b.start > a.end]
    if gaps or segments[0].start > 0:
        raise ValueError(f"the segments leave a gap before {[*gaps, 0.0][0]} s")
    ends = [math.ceil(s.end * frame_rate - 1e-6) for s in segments[:-1]]
    ends = [min(end, num_frames) for end in ends] + [num_frames]
    counts = [end - start for start, end in zip([0, *ends], ends)]
    return [s.label for s in segments], counts
