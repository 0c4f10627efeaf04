"""The same random numbers on every device."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from unittest import mock

import torch
from torch import Tensor


@contextmanager
def cpu_draws():
    """Context in which masks, times and noise are drawn on the CPU, then moved.

    A GPU draws other numbers from the same seed, so that its losses could not be
    compared with those of a CPU. Dropout is not covered. A generator of a device is
    replaced by a new one with its seed. The functions of torch are replaced, because a
    mode would break compiled layers.
    """
    with ExitStack() as stack:
        for name in ("rand", "randn", "randint"):
            function = _on_cpu(getattr(torch, name))
            stack.enter_context(mock.patch.object(torch, name, function))
        stack.enter_context(mock.patch.object(torch, "randn_like", _randn_like))
        stack.enter_context(mock.patch.object(Tensor, "uniform_", _uniform))
        yield


def _on_cpu(draw: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def drawn(*size, device=None, generator=None, **more) -> Tensor:
        if generator is not None:
            more["generator"] = torch.Generator().manual_seed(generator.initial_seed())
        return draw(*size, **more).to(device)

    return drawn


def _randn_like(x: Tensor) -> Tensor:
    return torch.randn(x.shape, dtype=x.dtype, device=x.device)


def _uniform(x: Tensor, low: float = 0.0, high: float = 1.0) -> Tensor:
    drawn = torch.rand(x.shape, dtype=x.dtype, device=x.device)
    return x.copy_(low + (high - low) * drawn)
