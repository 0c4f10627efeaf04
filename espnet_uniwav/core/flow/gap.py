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


def open_gap(
    before: Tensor, num_frames: int, after: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Frames to be generated, in the context of given ones.

    Args:
        before: (T1, F) given frames; T1 may be 0.
        num_frames: T2 frames to be generated.
        after: (T3, F) given frames; None: no frame.

    Returns:
        x (1, T1 + T2 + T3, F), zero in the gap; and mask (1, T1 + T2 + T3), True there.
    """
    after = before[:0] if after is None else after
    x = torch.cat((before, before.new_zeros(num_frames, before.shape[1]), after))[None]
    frames = torch.arange(x.shape[1], device=x.device)[None] - len(before)
    return x, (frames >= 0) & (frames < num_frames)
