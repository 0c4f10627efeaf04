"""Linear maps of the frames before k-means."""

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


class Metric(nn.Module):
    """The whitened principal axes of a state, and the features predicted from z.

    Args:
        state_dim: Width D of the state.
        rest_dim: Width F of the features predicted from z.
        num_axes: Largest number of axes to keep, each with unit variance.
        readout_weight: Weight of the features predicted from z. 1: their variance is
            that of all axes together. 0: they are left out.
    """

    def __init__(
        self, state_dim: int, rest_dim: int, num_axes: int, readout_weight: float
    ):
        super().__init__()
        num_axes = min(num_axes, state_dim)
        self.readout_weight = readout_weight
        self.dim = num_axes + (rest_dim if readout_weight else 0)
        self.register_buffer("center", torch.zeros(state_dim))
        self.register_buffer("axes", torch.zeros(state_dim, num_axes))
        self.register_buffer("scale", torch.ones(()))

    def forward(self, state: Tensor, rest: Tensor) -> Tensor:
        """Map (..., D) states and (..., F) predicted features to (..., dim)."""
        whitened = (state - self.center) @ self.axes
        if not self.readout_weight:
            return whitened
        return torch.cat((whitened, self.scale * rest), dim=-1)

    @torch.no_grad()
    def fit(self, state: Tensor, rest: Tensor) -> None:
        """Fit to frames (N, D) and (N, F)."""
        self.center.copy_(state.mean(0))
        variances, axes = torch.linalg.eigh(torch.cov(state.T.double()))
        variances = variances.clamp(min=1e-6 * float(variances[-1]))
        number = self.axes.shape[1]
        self.axes.copy_((axes / variances.sqrt()).flip(1)[:, :number])
        ratio = number / rest.var(0).sum().clamp(min=1e-9)
        self.scale.copy_(self.readout_weight * ratio.sqrt())
