"""Parameters and multiply-adds of a configuration, without allocating the model."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from espnet_uniwav.core.pretraining import Pretraining
from espnet_uniwav.integrations.espnet.experiment import pretraining_config
from espnet_uniwav.io.bounds import check_sizes
from espnet_uniwav.io.config import resolve
from espnet_uniwav.io.input import error_context

Row = tuple[str, int, float]


def size(config: str | Path, seconds: float = 10.0) -> str:
    """A table of the parts of a model.

    Args:
        config: Configuration file of the SSL task, conf/*.yaml.
        seconds: Length of the utterance; attention grows with it.

    Raises:
        FileNotFoundError, ValueError: Naming the file and what to do.
    """
    content = resolve(config)
    check_sizes(content, str(config))
    with torch.device("meta"), error_context(config):
        rows = count(content, seconds)
    lines = [f"{'part':<20}{'parameters':>14}{'multiply-adds per s':>22}"]
    for name, parameters, ops in rows:
        lines.append(f"{name:<20}{parameters / 1e6:>12.1f} M{ops / 1e9:>20.2f} G")
    return "\n".join(lines)


def count(conf: dict, seconds: float) -> list[Row]:
    """Count every part's parameters and its forward pass over one utterance.

    Args:
        conf: ESPnet's configuration of the SSL task.
        seconds: Length of the utterance; attention grows with it.

    Returns:
        Per part: name, parameters, multiply-adds per second of audio.
    """
    model = Pretraining.from_config(pretraining_config(conf)).eval()
    model.requires_grad_(False)
    spec, encoder = model.features.spec, model.encoder
    x = torch.zeros(1, spec.num_frames(round(seconds * spec.sample_rate)), spec.dim)
    embedded = encoder.embed(x)
    rows = [("encoder", encoder, lambda: encoder(encoder.embed(x)))]
    if flow := model.objectives.get("flow_matching"):
        decoder = flow.decoder
        rows.append(("decoder", decoder, lambda: decoder(x, x[..., 0], embedded)))
    if dinosr := model.objectives.get("dinosr"):
        teacher, heads = dinosr.teacher, dinosr.heads
        rows.append(("teacher (training)", teacher, lambda: teacher.network(embedded)))
        rows.append(("heads (training)", heads, lambda: heads(embedded)))
    return [(name, _parameters(m), _ops(run) / seconds) for name, m, run in rows]


def _parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _ops(run: Callable) -> float:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run()
    return counter.get_total_flops() / 2
