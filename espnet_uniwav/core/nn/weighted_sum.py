"""A learned weighted sum of the encoder's states."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class WeightedSum(nn.Module):
    """z = sum_i softmax(w)_i h_i over all num_layers + 1 states (paper, section 3).

    Args:
        num_states: States to sum.
    """

    def __init__(self, num_states: int):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(num_states))

    def weights(self) -> Tensor:
        """(num_states,) weights that sum to one."""
        return self.logits.softmax(0)

    def forward(self, hidden_states: list[Tensor]) -> Tensor:
        """Sum states of shape (B, T, D) to one (B, T, D)."""
        if len(hidden_states) != len(self.logits):
            raise ValueError(
                f"expected {len(self.logits)} hidden states, found {len(hidden_states)}"
            )
        total = 0.0
        for weight, state in zip(self.weights().unbind(), hidden_states):
            total = total + weight * state
        return total
