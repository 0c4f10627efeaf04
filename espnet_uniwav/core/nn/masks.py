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


def read_numbers(*numbers: Tensor) -> list[int]:
    """Copy whole numbers, scalars on one device, to the CPU in one transfer.

    On a GPU this waits for the work queued before it. A training step may do so once,
    early, when little is queued.
    """
    return torch.stack(numbers).tolist()


def cut_padding(speech: Tensor, lengths: Tensor) -> Tensor:
    """Cut samples (B, S) or frames (B, T, F) after the longest utterance (B,).

    Only on the CPU, as in ``drop_if_unpadded``: what is left is masked anyway.
    """
    return speech[:, : lengths.max()] if lengths.device.type == "cpu" else speech


def drop_if_unpadded(padding_mask: Tensor) -> Tensor | None:
    """Replace a mask without padding by None, which selects the fastest attention.

    Only on the CPU: on a GPU, reading the mask would force a synchronisation.
    """
    if padding_mask.device.type == "cpu" and not padding_mask.any():
        return None
    return padding_mask
