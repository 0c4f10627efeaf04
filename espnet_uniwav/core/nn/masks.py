"""Padding masks, and packing of the frames that are visible."""

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


class VisibleFrames:
    """Packs the frames that are not hidden to the left (data2vec 2.0, section 3.2).

    The cost of a layer then depends on the visible frames alone. An utterance without
    a visible frame keeps one slot, so that its attention is finite; ``unpack`` never
    reads it.

    Args:
        hidden: (B, T), True = masked or padding.
        numbers: Fewest and most visible frames of an utterance, where the caller has
            read them; None: read from the device, which waits for it.

    Attributes:
        frames: (B, T') index of every packed frame in its utterance, ascending.
        padding_mask: (B, T'), True = empty slot; None if there is none.
    """

    def __init__(self, hidden: Tensor, numbers: tuple[int, int] | None = None):
        self.hidden = hidden
        number = (~hidden).sum(1)
        fewest, most = numbers or read_numbers(number.min(), number.max())
        order = hidden.to(torch.uint8).argsort(dim=1, stable=True)
        self.frames = order[:, : max(most, 1)]
        slots = torch.arange(self.frames.shape[1], device=hidden.device)
        self.padding_mask = None
        if max(fewest, 1) < len(slots):
            self.padding_mask = slots >= number.clamp(min=1)[:, None]
        self._slots = ((~hidden).cumsum(1) - 1).clamp(min=0)

    def pack(self, x: Tensor) -> Tensor:
        """Map (B, T, D) to (B, T', D)."""
        return select_frames(x, self.frames)

    def unpack(self, x: Tensor, hidden: Tensor) -> Tensor:
        """Map (B, T', D) to (B, T, D), with the vector ``hidden`` (D,) in the gaps."""
        x = select_frames(x, self._slots)
        return torch.where(self.hidden[..., None], hidden.to(x.dtype), x)


def select_frames(x: Tensor, frames: Tensor) -> Tensor:
    """Frames (B, N) of every utterance of x (B, T, ...), as (B, N, ...)."""
    rows = torch.arange(len(x), device=x.device)[:, None] * x.shape[1]
    flat = x.flatten(0, 1).index_select(0, (frames + rows).flatten())
    return flat.view(*frames.shape, *x.shape[2:])
