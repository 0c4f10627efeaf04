"""Detect optimiser steps from within the model, in any training loop."""

from __future__ import annotations

import weakref

from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook


def after_optimizer_step(model: nn.Module) -> None:
    """Call ``model.after_optimizer_step()`` after every optimiser step of the model.

    PyTorch calls the hook from ``Optimizer.step``. Accumulated gradients and steps
    that the trainer or the loss scaler skips therefore do not count, and all processes
    of a DDP run stay in step. An optimiser without trainable parameters of the model
    is ignored. The hook is removed when the model is deleted.
    """
    reference = weakref.ref(model)

    def hook(optimizer: Optimizer, args, kwargs) -> None:
        module = reference()
        if module is None or _is_skipped(optimizer):
            return
        if _optimises(optimizer, module):
            module.after_optimizer_step()

    handle = register_optimizer_step_post_hook(hook)
    weakref.finalize(model, handle.remove)


def _is_skipped(optimizer: Optimizer) -> bool:
    """Whether a fused optimiser, called with ``found_inf``, skipped the step."""
    found_inf = getattr(optimizer, "found_inf", None)
    return found_inf is not None and bool(found_inf)


def _optimises(optimizer: Optimizer, model: nn.Module) -> bool:
    own = next((p for p in model.parameters() if p.requires_grad), None)
    return any(p is own for group in optimizer.param_groups for p in group["params"])
