"""What a model returns to ESPnet's trainer."""

from __future__ import annotations

import torch
from torch import Tensor

from espnet_uniwav.core.nn.processes import is_distributed


def report(
    loss: Tensor, stats: dict[str, Tensor], weight: float
) -> tuple[Tensor, dict[str, Tensor], Tensor]:
    """Loss, statistics and weight of a batch, each of shape (1,).

    The trainer reads every statistic. They are moved to the CPU together, so that a GPU
    is waited for once; with several processes they stay, because they are averaged on
    the device.

    Args:
        loss: Scalar.
        stats: Detached scalars.
        weight: Of the batch in the averages over an epoch.
    """
    values = torch.stack([v.float() for v in stats.values()])
    if not is_distributed():
        values = values.cpu()
    weights = torch.full((1,), weight, device=values.device)
    return loss.reshape(1), dict(zip(stats, values.split(1))), weights
