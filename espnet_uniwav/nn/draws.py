"""Random draws that do not change from one validation to the next."""

from __future__ import annotations

from contextlib import contextmanager

import torch


@contextmanager
def same_draws(device: torch.device, enabled: bool = True):
    """Context in which masks, times and noise are those of a fixed seed.

    Losses of a batch under it differ by the weights alone, so that the best epoch is
    no accident. Behind it the generators go on as if nothing had been drawn.

    Args:
        device: Whose generator draws, beside the CPU's.
        enabled: False changes nothing, for training.
    """
    if not enabled:
        yield
        return
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        yield
