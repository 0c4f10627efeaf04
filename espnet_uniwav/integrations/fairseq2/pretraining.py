"""What fairseq2 needs of the joint model: its configuration, FSDP, statistics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import torch
from torch import nn

from espnet_uniwav.core.nn.processes import copy_from_first_process
from espnet_uniwav.core.pretraining import Pretraining
from espnet_uniwav.integrations.fairseq2.config import PretrainingConfig

PRETRAINING = "uniwav_pretraining"


def create_pretraining(config: PretrainingConfig) -> Pretraining:
    """An untrained model.

    Raises:
        ValueError: If all losses are left out.
    """
    conf = asdict(config)
    flow = {k: conf.pop(k) for k in ("decoder", "drop_prob", "kept_frames", "crop")}
    flow["weight"] = conf.pop("flow_weight")
    objectives = {
        "dinosr": conf.pop("dinosr"),
        "flow_matching": None if flow["decoder"] is None else flow,
        **conf["objectives"],
    }
    conf["objectives"] = {k: v for k, v in objectives.items() if v is not None}
    if not conf["objectives"]:
        raise ValueError("dinosr and decoder are both null: no loss is left")
    return Pretraining.from_config(conf)


def freeze(model: Pretraining) -> None:
    """Leave the teacher and the features out of the gradient.

    fairseq2 makes all parameters of a training model trainable.
    """
    model.features.requires_grad_(False)
    if "dinosr" in model.objectives:
        model.dinosr.teacher.requires_grad_(False)


def stat_names(model: Pretraining) -> list[str]:
    """Names of the statistics that are reported, of those of ``forward``."""
    names = ["loss", *(f"loss_{name}" for name in model.objectives)]
    return [*names, "accuracy"] if "dinosr" in model.objectives else names


@torch.no_grad()
def apply_fsdp(
    model: Pretraining, granularity: str, wrapper: Callable[..., nn.Module]
) -> nn.Module:
    """Shard all that the optimiser trains; every process has the whole teacher.

    Args:
        model: On the device of the process.
        granularity: ``layer``: gather one layer at a time; ``stack``: all together.
        wrapper: Given by fairseq2.
    """
    # Imported here, so that the model itself needs no fairseq2.
    from fairseq2.models.utils.fsdp import apply_layerwise_fsdp

    teacher = None
    if "dinosr" in model.objectives:
        teacher = model.dinosr.teacher
        # The wrapper cannot be told to ignore a module.
        model.dinosr.teacher = None
    if granularity == "layer":
        apply_layerwise_fsdp(model.encoder.transformer.layers, wrapper)
        if "flow_matching" in model.objectives:
            apply_layerwise_fsdp(model.flow_matching.decoder.layers, wrapper)
    wrapped = wrapper(model, reshard_after_forward=False)
    if teacher is not None:
        copy_from_first_process(*teacher.parameters(), *teacher.buffers())
        model.dinosr.teacher = teacher
    return wrapped
