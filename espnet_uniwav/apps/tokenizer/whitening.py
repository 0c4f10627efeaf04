"""Linear maps that are fitted to frames before k-means."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Readout(nn.Linear):
    """Predicts the features from z, by least squares.

    Clusters of z itself would keep its directions of largest variance, not those that
    the decoder needs.
    """

    @torch.no_grad()
    def fit(self, z: Tensor, x: Tensor) -> None:
        """Fit to frames of z (N, D) and of the features (N, F).

        Directions in which z hardly varies, as that which its norm removes, count for
        little: a plain solution would follow their rounding errors.
        """
        center, mean = z.mean(0), x.mean(0)
        z, x = (z - center).double(), (x - mean).double()
        power, axes = torch.linalg.eigh(z.T @ z)
        power = power.clamp(min=1e-8 * float(power[-1]))
        self.weight.copy_((axes / power @ (axes.T @ (z.T @ x))).T)
        self.bias.copy_(mean - self.weight @ center)


class Whitening(nn.Module):
    """Projects a state on its largest principal axes, each with unit variance.

    Args:
        state_dim: Width D of the state.
        num_axes: Largest number of axes to keep.
    """

    def __init__(self, state_dim: int, num_axes: int):
        super().__init__()
        self.dim = min(num_axes, state_dim)
        self.register_buffer("center", torch.zeros(state_dim))
        self.register_buffer("axes", torch.zeros(state_dim, self.dim))

    def forward(self, state: Tensor) -> Tensor:
        """Map (..., D) states to (..., dim)."""
        return (state - self.center) @ self.axes

    @torch.no_grad()
    def fit(self, state: Tensor) -> None:
        """Fit to frames (N, D)."""
        self.center.copy_(state.mean(0))
        variances, axes = torch.linalg.eigh(torch.cov(state.T.double()))
        variances = variances.clamp(min=1e-6 * float(variances[-1]))
        self.axes.copy_((axes / variances.sqrt()).flip(1)[:, : self.dim])
