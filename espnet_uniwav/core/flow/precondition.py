"""Preconditioning of the decoder: the linear part of the velocity, in closed form."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from espnet_uniwav.core.nn.precision import full_precision
from espnet_uniwav.core.nn.processes import copy_from_first_process, sum_over_processes

SHRINKAGE = 1e-3


class Precondition(nn.Module):
    """Preconditioning of a flow along the principal axes of the data.

    Karras et al. (2022) scale input and output of a denoiser for data of one
    variance. In speech features a few axes hold nearly all of the variance, so each
    principal axis is scaled separately. With the data's mean m, axes E and standard
    deviations s, and per axis r = (1 - t)^2 + t^2 s^2:

        y = E' (x_t - t m)                     input = y / sqrt(r)
        v = m + E ((t s^2 - (1 - t)) / r * y + s / sqrt(r) * output)

    The first term of v is the best linear estimate from x_t alone. The residual that
    the network predicts, ((1 - t) w - t s x_0) / sqrt(r) with the whitened data w, has
    unit variance. A guess of w may be given. Before ``fit``, m = 0, E = I, s = 1.

    Args:
        dim: Width F of x.
    """

    def __init__(self, dim: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("axes", torch.eye(dim))
        self.register_buffer("deviations", torch.ones(dim))
        self.register_buffer("num_frames", torch.zeros((), dtype=torch.long))
        self._is_fitted = False

    def fit_first_batch(self, x_1: Tensor, padding_mask: Tensor | None) -> None:
        """Estimate mean and axes on the first usable batch of training.

        Args:
            x_1: (B, T, F) data.
            padding_mask: (B, T), True = padding.

        No effect in evaluation, or if a first batch, a resumed training or a
        checkpoint has already set them.
        """
        if not self.training or self._is_fitted:
            return
        if self.num_frames == 0:
            frames = x_1.float().flatten(0, 1)
            if padding_mask is not None:
                frames = frames[~padding_mask.flatten()]
            self.fit(frames)
        self._is_fitted = bool(self.num_frames > 0)

    @torch.no_grad()
    def fit(self, frames: Tensor) -> None:
        """Estimate mean and principal axes on the data of all processes together.

        Args:
            frames: (N, F) frames of x. Non-finite frames are left out. If fewer than
                F remain, nothing changes and ``num_frames`` stays 0.
        """
        frames = frames[frames.isfinite().all(-1)].double()
        count = frames.new_tensor(float(len(frames)))
        total, square = frames.sum(0), frames.T @ frames
        sum_over_processes(count, total, square)
        if count < frames.shape[1]:
            return
        mean = total / count
        covariance = (square - count * mean.outer(mean)) / (count - 1)
        covariance.diagonal().add_(SHRINKAGE)
        variances, axes = torch.linalg.eigh(covariance)
        self.mean.copy_(mean)
        self.axes.copy_(axes)
        self.deviations.copy_(variances.sqrt())
        self.num_frames.copy_(count)
        copy_from_first_process(*self.buffers())

    def scale_input(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Map (B, T, F) points at (B, T) times to unit variance, axis by axis."""
        with full_precision(x_t.device):
            y, r = self._along_axes(x_t, t)
            return y * r.rsqrt()

    def unwhiten(self, w: Tensor) -> Tensor:
        """Map (B, T, F) whitened data, which are the input at t = 1, back to data."""
        with full_precision(w.device):
            return self.mean + (self.deviations * w.float()) @ self.axes.T

    def velocity(
        self, output: Tensor, x_t: Tensor, t: Tensor, guess: Tensor | float = 0.0
    ) -> Tensor:
        """Turn the network's output into a velocity.

        Args:
            output: (B, T, F).
            x_t: (B, T, F) points of the path.
            t: (B, T) their times.
            guess: (B, T, F) estimate of the whitened data, which the output corrects.

        Returns:
            (B, T, F) in fp32.
        """
        with full_precision(x_t.device):
            y, r = self._along_axes(x_t, t)
            t, s = t[..., None], self.deviations
            linear = (t * s.square() - (1 - t)) / r * y
            output = output.float() + (1 - t) * r.rsqrt() * guess
            return self.mean + (linear + s * r.rsqrt() * output) @ self.axes.T

    def _along_axes(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        t = t[..., None]
        y = (x_t.float() - t * self.mean) @ self.axes
        return y, (1 - t).square() + (t * self.deviations).square()
