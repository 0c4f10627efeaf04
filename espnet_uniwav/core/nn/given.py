"""What a caller gives, as the tensors that the code below works with.

Arrays, lists and batches of one are accepted, other types are named. Of tensors only
shape and type are looked at, so that a training step does not wait for a GPU.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

# Kinds of tensors, in the words of the errors.
SAMPLES = "mono samples from -1 to 1, or of 16 bits"
NUMBERS = "floating-point numbers"
WHOLE = "whole numbers"
TRUTH = "True and False"


def as_tensor(
    value, name: str, shape: str, kind: str, device: torch.device | None = None
) -> Tensor:
    """A tensor of an expected shape and kind.

    Args:
        value: Tensor, NumPy array, or (nested) list.
        name: What it is, for the errors.
        shape: A letter for every dimension. The first one, B, may be missing in the
            value: a batch of one.
        kind: ``SAMPLES``, of which 16-bit integers are scaled to [-1, 1]; ``NUMBERS``,
            ``WHOLE`` or ``TRUTH``.
        device: Where it is wanted; None: where it is.

    Raises:
        TypeError: If it is something else, or of another kind.
        ValueError: If its shape is another one.
    """
    wanted = f"{name}: expected {kind}, ({', '.join(shape)}), found"
    if not isinstance(value, Tensor):
        value = _from_numpy(value, wanted)
    if not _is(kind, value.dtype):
        raise TypeError(f"{wanted} {value.dtype}")
    if shape[0] == "B" and value.dim() == len(shape) - 1:
        value = value[None]
    channels = kind == SAMPLES and value.dim() == 2 and _are_channels(*value.shape)
    if value.dim() != len(shape) or channels:
        fix = "; mix them: speech.mean(1)" if channels else ""
        raise ValueError(f"{wanted} shape {tuple(value.shape)}{fix}")
    if kind == WHOLE:
        value = value.long()
    elif value.dtype == torch.int16:
        value = value / 2**15
    return value if device is None else value.to(device)


def as_lengths(lengths, batch: Tensor, name: str = "lengths") -> Tensor:
    """Valid samples or codes (B,) of every utterance.

    Args:
        lengths: As of ``as_tensor``; None: all of them.
        batch: (B, ..., S).
        name: See ``as_tensor``.

    Raises:
        TypeError, ValueError: As of ``as_tensor``, or if they are not for this batch.
    """
    number, longest = len(batch), batch.shape[-1]
    if lengths is None:
        return torch.full((number,), longest, device=batch.device)
    lengths = as_tensor(lengths, name, "B", WHOLE)
    if len(lengths) != number:
        raise ValueError(
            f"{name}: expected {number}, one for every utterance, found {len(lengths)}"
        )
    if lengths.device.type == "cpu" and ((lengths < 0) | (lengths > longest)).any():
        raise ValueError(
            f"{name}: expected 0 to {longest}, as the batch is long, found "
            f"{lengths.tolist()}"
        )
    return lengths.to(batch.device)


def as_mask(mask, x: Tensor, name: str) -> Tensor | None:
    """A mask (B, T) of frames x (B, T, ...); None stays None.

    Raises:
        TypeError, ValueError: As of ``as_tensor``, or if it is of other frames.
    """
    if mask is None:
        return None
    mask = as_tensor(mask, name, "BT", TRUTH, x.device)
    if mask.shape != x.shape[:2]:
        raise ValueError(
            f"{name}: expected the shape {tuple(x.shape[:2])} of the frames, found "
            f"{tuple(mask.shape)}"
        )
    return mask


def _from_numpy(value, wanted: str) -> Tensor:
    try:
        array = np.asarray(value)
    except ValueError:  # a list of lists
        raise ValueError(f"{wanted} rows of different lengths") from None
    kind = array.dtype.kind
    if kind not in "biuf":
        raise TypeError(f"{wanted} {type(value).__name__}")
    dtype = np.dtype(np.float32) if kind == "f" else array.dtype.newbyteorder("=")
    return torch.from_numpy(array.astype(dtype, order="C"))


def _are_channels(first: int, second: int) -> bool:
    """Whether a batch has the shape (S, C) of a stereo file as it is read."""
    return 1 < second < 10 and first > 100 * second


def _is(kind: str, dtype: torch.dtype) -> bool:
    if kind == TRUTH or dtype == torch.bool:
        return kind == TRUTH and dtype == torch.bool
    if kind == WHOLE:
        return not (dtype.is_floating_point or dtype.is_complex)
    return dtype.is_floating_point or (kind == SAMPLES and dtype == torch.int16)
