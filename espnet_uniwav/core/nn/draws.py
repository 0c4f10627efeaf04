"""Repeatable random draws, the same in every validation."""

from __future__ import annotations

from contextlib import contextmanager

import torch


@contextmanager
def same_draws(device: torch.device, enabled: bool = True):
    """Context in which masks, times and noise come from a fixed seed.

    The loss of a batch then depends on the weights alone, so the best epoch is not
    chosen by chance. On exit the state of the generators is restored.

    Args:
        device: Its generator is seeded, as well as the CPU's.
        enabled: False changes nothing, for training.
    """
    if not enabled:
        yield
        return
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        yield
