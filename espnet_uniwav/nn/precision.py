"""Numbers in bfloat16, and numbers that stay in fp32 under any autocast."""

from __future__ import annotations

from contextlib import nullcontext

import torch


def full_precision(device: torch.device):
    """Context in which autocast is off; nothing to do on the meta device."""
    if device.type == "meta":
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def compute_dtype(like: torch.Tensor) -> torch.dtype:
    """Type that matrix products of a tensor have here: autocast's, or its own."""
    kind = like.device.type
    if kind != "meta" and torch.is_autocast_enabled(kind):
        return torch.get_autocast_dtype(kind)
    return like.dtype


def bfloat16(device: torch.device, enabled: bool = True):
    """Context in which matrix products and convolutions are computed in bfloat16.

    On CPUs with AMX or AVX512-BF16 that is faster than fp32; weights stay fp32. A
    surrounding autocast (``use_amp`` on a GPU) stays in force where not enabled.
    """
    return torch.autocast(device.type, torch.bfloat16) if enabled else nullcontext()
