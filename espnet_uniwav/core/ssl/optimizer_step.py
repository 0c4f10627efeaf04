"""Detect optimiser steps from within the model, in any training loop."""

from __future__ import annotations

import sys
import weakref
from types import FrameType

from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)


def after_optimizer_step(model: nn.Module) -> None:
    """Call ``model.after_optimizer_step()`` after every optimiser step of the model.

    PyTorch calls the hook from ``Optimizer.step``, after its closure. Accumulated
    gradients and steps that the trainer or the loss scaler skips therefore do not
    count, and all processes of a DDP run stay in step. An optimiser without trainable
    parameters of the model is ignored, and so is one that another optimiser calls in
    its own step (as one with sharded state does with its part). The hooks are removed
    when the model is deleted.
    """
    reference = weakref.ref(model)
    outermost, step = None, None

    def before(optimizer: Optimizer, args, kwargs) -> None:
        nonlocal outermost, step
        module = reference()
        if _runs(step) or module is None or not _optimises(optimizer, module):
            return
        outermost, step = id(optimizer), sys._getframe(1)

    def after(optimizer: Optimizer, args, kwargs) -> None:
        nonlocal outermost, step
        if outermost != id(optimizer):
            return
        outermost, step = None, None
        module = reference()
        if module is not None and not _is_skipped(optimizer):
            module.after_optimizer_step()

    for handle in (
        register_optimizer_step_pre_hook(before),
        register_optimizer_step_post_hook(after),
    ):
        weakref.finalize(model, handle.remove)


def _runs(step: FrameType | None) -> bool:
    """Whether a step has not ended: an exception in its closure ends it too."""
    if step is None:
        return False
    try:
        step.clear()
    except RuntimeError:
        return True
    return False


def _is_skipped(optimizer: Optimizer) -> bool:
    """Whether the step changed nothing.

    A fused optimiser skips it when called with ``found_inf``; without any gradient none
    changes a parameter (Lightning steps so after a batch that it was told to skip).
    """
    found_inf = getattr(optimizer, "found_inf", None)
    if found_inf is not None and bool(found_inf):
        return True
    parameters = (p for group in optimizer.param_groups for p in group["params"])
    return all(p.grad is None for p in parameters)


def _optimises(optimizer: Optimizer, model: nn.Module) -> bool:
    own = next((p for p in model.parameters() if p.requires_grad), None)
    return any(p is own for group in optimizer.param_groups for p in group["params"])
