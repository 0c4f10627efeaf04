"""The gap of an utterance that is generated in training."""

from __future__ import annotations

import torch
from torch import Tensor


def draw_gap(lengths: Tensor, num_frames: int, min_share: float) -> Tensor:
    """Draw one gap per utterance, of random length and position.

    Args:
        lengths: (B,) valid frames.
        num_frames: T.
        min_share: Smallest share of an utterance.

    Returns:
        (B, T), True = inside the gap; at least one frame each.
    """
    share, place = torch.rand(2, len(lengths), 1, device=lengths.device)
    lengths = lengths[:, None]
    size = ((min_share + (1 - min_share) * share) * lengths).ceil().clamp(min=1)
    start = (place * (lengths - size + 1)).floor()
    frames = torch.arange(num_frames, device=lengths.device)
    return (frames >= start) & (frames < start + size)
