"""Gaps between given frames: drawn in training, opened, and interpolated over."""

from __future__ import annotations

import torch
from torch import Tensor

# Frames over which a given frame is informative; 0.2 s at 50 Hz.
REACH = 10


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


def interpolate(x: Tensor, given: Tensor, reach: float = REACH) -> Tensor:
    """Interpolate linearly between given frames.

    Before the first and after the last given frame the nearest one is repeated.
    Beyond ``reach`` frames from any given frame the values fade to zero, the mean of
    the data, over another ``reach`` frames.

    Args:
        x: (B, T, F); other frames may hold any finite values.
        given: (B, T), True = given.
        reach: Frames.

    Returns:
        (B, T, F), equal to x at given frames; zero if none is given.
    """
    length = x.shape[1]
    frames = torch.arange(length, device=x.device)
    number = given.cumsum(1)  # of given frames so far
    places = number.new_full((len(x), length + 2), length)  # of the n-th given frame
    places[:, 0] = -1
    order = torch.where(given, number, length + 1)
    places = places.scatter(1, order, frames.expand_as(order))
    left, right = places.gather(1, number), places.gather(1, number + ~given)
    left, right = (
        torch.where(left < 0, right, left),
        torch.where(right == length, left, right),
    )
    share = (frames - left).float() / (right - left).clamp(min=1)
    distance = torch.minimum((frames - left).abs(), (right - frames).abs())
    weight = (2 - distance / reach).clamp(0, 1) * given.any(1, keepdim=True)
    left, right = (
        i.clamp(0, length - 1)[..., None].expand_as(x) for i in (left, right)
    )
    between = torch.lerp(x.gather(1, left), x.gather(1, right), share[..., None])
    return between * weight[..., None].to(x.dtype)
