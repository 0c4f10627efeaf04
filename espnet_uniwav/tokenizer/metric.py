"""By what frames are told apart: linear maps in front of k-means."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Readout(nn.Linear):
    """What z says about the features, by least squares.

    Clusters of z itself would keep what varies most in it, not what the decoder has to
    know.
    """

    @torch.no_grad()
    def fit(self, z: Tensor, x: Tensor) -> None:
        """Fit to frames of z (N, D) and of the features (N, F)."""
        center, mean = z.mean(0), x.mean(0)
        self.weight.copy_(torch.linalg.lstsq(z - center, x - mean).solution.T)
        self.bias.copy_(mean - self.weight @ center)


class Metric(nn.Module):
    """The whitened principal axes of a state, beside what is read out of z.

    Args:
        state_dim: Width D of the state.
        rest_dim: Width F of what is read out of z.
        num_axes: Axes that are kept, at most; all of them have unit variance.
        readout_weight: Of what is read out of z; 1: its variance is that of all axes
            together; 0: it is left out.
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
        """Map (..., D) states and (..., F) read out of z to (..., dim)."""
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
