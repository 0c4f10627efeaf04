"""Training batches that a module has seen, kept with its weights."""

from __future__ import annotations

import torch
from torch import Tensor


class CountsSteps:
    """For an ``nn.Module`` that changes its ways during training.

    Attributes:
        step: Training batches so far; saved, so that a resumed training goes on.
    """

    step = 0

    def get_extra_state(self) -> Tensor:
        """A tensor, which survives ESPnet's model averaging."""
        return torch.tensor(self.step)

    def set_extra_state(self, state: Tensor) -> None:
        """The inverse of ``get_extra_state``."""
        self.step = int(state)
