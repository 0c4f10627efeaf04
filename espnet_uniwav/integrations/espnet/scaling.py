"""Refusal of ESPnet's ways to scale that would train our models wrongly."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from torch import nn

from espnet_uniwav.integrations.espnet.extend import extend

INSTEAD = (
    "Use --multiprocessing_distributed true with one process for each GPU; for memory "
    "--use_amp true, model_conf: {checkpointing: true}, or --accum_grad with smaller "
    "batches (doc/scale.md)"
)
HALVES = ("float16", "bfloat16")


def refuse_wrong_scaling(task: type) -> None:
    """Make a task check its options before it trains a model with a part of ours.

    Args:
        task: ESPnet task. A second call has no effect.
    """
    extend(task, "build_optimizers", _build_optimizers)


def _build_optimizers(build: Callable, args: argparse.Namespace, model: nn.Module):
    """Check, then build as the task does. Inference does not come here."""
    ours = any(type(m).__module__.startswith("espnet_uniwav") for m in model.modules())
    if ours and (reason := find_reason(args)):
        raise ValueError(f"{reason}. {INSTEAD}")
    return build(args, model)


def find_reason(args: argparse.Namespace) -> str | None:
    """Why these options would train our models wrongly; None if they would not."""
    if args.use_deepspeed:
        return (
            "--use_deepspeed true: DeepSpeed trains copies of the weights, whose steps "
            "teacher and codebooks do not see, casts to half precision what must stay "
            "fp32, and ESPnet divides the mean loss by the weight of the batch there"
        )
    if args.sharded_ddp:
        return (
            "--sharded_ddp true: with fairscale, two processes do not train as one "
            "does (measured with 0.4.13, its last version), and gradients are clipped "
            "by each process alone"
        )
    if args.ngpu > 1 and not args.distributed:
        return (
            f"--ngpu {args.ngpu} without processes: DataParallel trains on copies of "
            "the model, whose codebooks and statistics are lost"
        )
    if args.train_dtype in HALVES:
        return (
            f"--train_dtype {args.train_dtype} casts to half precision what must stay "
            "fp32: features, teacher, codebooks"
        )
    return None
