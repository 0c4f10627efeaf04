"""Padding masks."""

from __future__ import annotations

import torch
from torch import Tensor


def lengths_to_padding_mask(lengths: Tensor, num_frames: int) -> Tensor:
    """Mark the frames after the end of each utterance.

    Args:
        lengths: (B,) valid frames.
        num_frames: Frames T of the padded batch.

    Returns:
        (B, T) bool, True = padding.
    """
    frames = torch.arange(num_frames, device=lengths.device)
    return frames >= lengths[:, None]


def drop_if_unpadded(padding_mask: Tensor) -> Tensor | None:
    """Replace a mask without padding by None, which selects the fastest attention.

    Only on the CPU: on a GPU, reading the mask would force a synchronisation.
    """
    if padding_mask.device.type == "cpu" and not padding_mask.any():
        return None
    return padding_mask
