"""Count of training batches, saved with a module's weights."""

from __future__ import annotations

import torch
from torch import Tensor


class CountsSteps:
    """Mixin for an ``nn.Module`` whose behaviour depends on the training step.

    Attributes:
        step: Training batches so far; saved, so that a resumed training continues.
    """

    step = 0

    def get_extra_state(self) -> Tensor:
        """A tensor, which survives ESPnet's model averaging."""
        return torch.tensor(self.step)

    def set_extra_state(self, state: Tensor) -> None:
        """The inverse of ``get_extra_state``."""
        self.step = int(state)
