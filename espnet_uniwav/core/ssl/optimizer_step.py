"""Detect optimiser steps from within the model, in any training loop."""

from __future__ import annotations

import weakref

from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)


def after_optimizer_step(model: nn.Module) -> None:
    """Call ``model.after_optimizer_step()`` after every optimiser step of the model.

    PyTorch calls the hook from ``Optimizer.step``. Accumulated gradients and steps
    that the trainer or the loss scaler skips therefore do not count, and all processes
    of a DDP run stay in step. An optimiser without trainable parameters of the model
    is ignored, and so is one that another optimiser calls in its own step (as one with
    sharded state does with its part). The hooks are removed when the model is deleted.
    """
    reference = weakref.ref(model)
    outermost = None

    def before(optimizer: Optimizer, args, kwargs) -> None:
        nonlocal outermost
        module = reference()
        if outermost is None and module is not None and _optimises(optimizer, module):
            outermost = id(optimizer)

    def after(optimizer: Optimizer, args, kwargs) -> None:
        nonlocal outermost
        if outermost != id(optimizer):
            return
        outermost = None
        module = reference()
        if module is not None and not _is_skipped(optimizer):
            module.after_optimizer_step()

    for handle in (
        register_optimizer_step_pre_hook(before),
        register_optimizer_step_post_hook(after),
    ):
        weakref.finalize(model, handle.remove)


def _is_skipped(optimizer: Optimizer) -> bool:
    """Whether a fused optimiser, called with ``found_inf``, skipped the step."""
    found_inf = getattr(optimizer, "found_inf", None)
    return found_inf is not None and bool(found_inf)


def _optimises(optimizer: Optimizer, model: nn.Module) -> bool:
    own = next((p for p in model.parameters() if p.requires_grad), None)
    return any(p is own for group in optimizer.param_groups for p in group["params"])
