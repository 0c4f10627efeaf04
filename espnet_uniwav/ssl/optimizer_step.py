"""Know when an optimiser step was really made, whoever owns the training loop."""

from __future__ import annotations

import weakref

from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook


def after_optimizer_step(model: nn.Module) -> None:
    """Call ``model.after_optimizer_step()`` behind every optimiser step of it.

    PyTorch calls the hook from ``Optimizer.step``: so neither an accumulated
    gradient nor a step that the trainer or the loss scaler skips counts, and every
    process of a DDP run does the same. An optimiser that holds none of the model's
    trainable parameters is ignored. The hook goes when the model goes.
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
    """A fused optimiser is called with ``found_inf`` and skips the step itself."""
    found_inf = getattr(optimizer, "found_inf", None)
    return found_inf is not None and bool(found_inf)


def _optimises(optimizer: Optimizer, model: nn.Module) -> bool:
    own = next((p for p in model.parameters() if p.requires_grad), None)
    return any(p is own for group in optimizer.param_groups for p in group["params"])
