"""Layer-wise learning rates of a pre-trained encoder, in ESPnet2's tasks."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from torch import nn
from torch.optim import Optimizer

from espnet_uniwav.core.ssl.encoder import Encoder


def build_optimizers(build: Callable, args: argparse.Namespace, model: nn.Module):
    """Build as the task does, then slow down the layers of our front end.

    Of the front end the attributes ``layer_decay`` and ``encoder`` are read.
    """
    optimizers = build(args, model)
    frontend = getattr(model, "frontend", None)
    if getattr(frontend, "layer_decay", 1.0) < 1:
        factors = rate_factors(frontend.encoder, frontend.layer_decay)
        for optimizer in optimizers:
            scale_rates(optimizer, factors)
    return optimizers


def rate_factors(encoder: Encoder, decay: float) -> dict[nn.Parameter, float]:
    """Factor of the learning rate of every parameter, lower from layer to layer.

    The last of N layers has ``decay``, the first ``decay ** N`` and what is below it,
    projection and positions, ``decay ** (N + 1)`` (BEiT, Bao et al. 2022).
    """
    transformer, depth = encoder.transformer, encoder.num_layers + 1
    factors = dict.fromkeys(encoder.parameters(), decay**depth)
    for number, layer in enumerate(transformer.layers, 1):
        factors.update(dict.fromkeys(layer.parameters(), decay ** (depth - number)))
    if transformer.norm_first:
        factors.update(dict.fromkeys(transformer.norm.parameters(), decay))
    return factors


def scale_rates(optimizer: Optimizer, factors: dict[nn.Parameter, float]) -> None:
    """Give parameters with a factor groups of their own; before the first step.

    Schedulers keep the ratio, because they scale the rate that a group starts with.
    """
    groups = []
    for group in optimizer.param_groups:
        parts: dict[float, list[nn.Parameter]] = {}
        for parameter in group["params"]:
            parts.setdefault(factors.get(parameter, 1.0), []).append(parameter)
        groups += [
            {**group, "params": own, "lr": factor * group["lr"]}
            for factor, own in parts.items()
        ]
    optimizer.param_groups[:] = groups
