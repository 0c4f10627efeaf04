"""Numerical precision: bfloat16, and fp32 under any autocast."""

from __future__ import annotations

from contextlib import nullcontext

import torch


def full_precision(device: torch.device):
    """Context in which autocast is off; no effect on devices that have none (meta)."""
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def compute_dtype(like: torch.Tensor) -> torch.dtype:
    """Type of matrix products of a tensor: autocast's if on, else its own."""
    kind = like.device.type
    if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
        return torch.get_autocast_dtype(kind)
    return like.dtype


def bfloat16(device: torch.device, enabled: bool = True):
    """Context in which matrix products and convolutions are computed in bfloat16.

    This is faster than fp32 on CPUs with AMX, and on those of AMD with AVX512-BF16; on
    Intel's without AMX it is slower. Weights stay in fp32. If not enabled, a
    surrounding autocast (``use_amp`` on a GPU) still applies.
    """
    return torch.autocast(device.type, torch.bfloat16) if enabled else nullcontext()
