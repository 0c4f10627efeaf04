"""Numbers that stay in fp32 under any autocast."""

from __future__ import annotations

from contextlib import nullcontext

import torch


def full_precision(device: torch.device):
    """Context in which autocast is off; nothing to do on the meta device."""
    if device.type == "meta":
        return nullcontext()
    return torch.autocast(device.type, enabled=False)
