"""The stretch of an utterance that is generated in training."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def draw_gap(lengths: Tensor, num_frames: int, min_share: float) -> Tensor:
    """One gap per utterance, of random length and place.

    Args:
        lengths: (B,) valid frames.
        num_frames: T.
        min_share: Least share of an utterance.

    Returns:
        (B, T), True = inside the gap; at least one frame each.
    """
    share, place = torch.rand(2, len(lengths), 1, device=lengths.device)
    lengths = lengths[:, None]
    size = ((min_share + (1 - min_share) * share) * lengths).ceil().clamp(min=1)
    start = (place * (lengths - size + 1)).floor()
    frames = torch.arange(num_frames, device=lengths.device)
    return (frames >= start) & (frames < start + size)


def tokens_outside(gap: Tensor, durations: Tensor) -> Tensor:
    """Which tokens have no frame in the gap: (B, T), (B, L) to (B, L)."""
    hidden = F.pad(gap.long().cumsum(1), (1, 0))
    ends = durations.cumsum(1)
    starts = ends - durations
    before, after = (
        hidden.gather(1, i.clamp(max=gap.shape[1])) for i in (starts, ends)
    )
    return before == after
