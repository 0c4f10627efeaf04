"""What given frames say about the frames of a gap before any network is asked."""

from __future__ import annotations

import torch
from torch import Tensor

# Frames that a given frame says something about; 0.2 s at 50 Hz.
REACH = 10


def interpolate(x: Tensor, given: Tensor, reach: float = REACH) -> Tensor:
    """Continue given frames linearly over the gaps between them.

    Before the first and behind the last given frame the nearest one is repeated. What
    is further than ``reach`` frames from any given frame fades to zero, the mean of
    the data, over as many frames again.

    Args:
        x: (B, T, F); frames that are not given may hold anything finite.
        given: (B, T), True = given.
        reach: Frames.

    Returns:
        (B, T, F), equal to x at given frames; zero without any.
    """
    length = x.shape[1]
    frames = torch.arange(length, device=x.device)
    left = torch.where(given, frames, -1).cummax(1).values
    right = torch.where(given, frames, length).flip(1).cummin(1).values.flip(1)
    left, right = (
        torch.where(left < 0, right, left),
        torch.where(right == length, left, right),
    )
    share = (frames - left) / (right - left).clamp(min=1)
    distance = torch.minimum((frames - left).abs(), (right - frames).abs())
    weight = (2 - distance / reach).clamp(0, 1) * given.any(1, keepdim=True)
    left, right = (
        i.clamp(0, length - 1)[..., None].expand_as(x) for i in (left, right)
    )
    between = torch.lerp(x.gather(1, left), x.gather(1, right), share[..., None])
    return between * weight[..., None].to(x.dtype)
