"""Perturbation of voice and channel in the student's input, not in the teacher's."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from typeguard import typechecked

FILTER_ORDER = 3


class Perturb(nn.Module):
    """Perturb log-mel features, in training only; identity with the default values.

    The student must then predict the teacher's clusters from another vocal tract and
    channel, so that the clusters follow the content rather than the speaker. Not part
    of the paper: it replaces more speakers where there are only hours of speech.

    Args:
        warp: The frequency axis is stretched by a factor drawn for each utterance from
            [1 - warp, 1 + warp] (vocal tract length perturbation, Jaitly and Hinton
            2013), in mel bands.
        filter_std: Standard deviation of the first coefficients (level and cosines
            over the bands) of a random filter added to each utterance, in units of
            the normalised features.
    """

    @typechecked
    def __init__(self, warp: float = 0.0, filter_std: float = 0.0):
        super().__init__()
        if not 0 <= warp < 1 or filter_std < 0:
            raise ValueError(
                "expected 0 <= warp < 1 and filter_std >= 0, found "
                f"{warp} and {filter_std}"
            )
        self.warp = warp
        self.filter_std = filter_std

    @property
    def is_active(self) -> bool:
        """Whether the module is in training mode and changes anything."""
        return self.training and (self.warp > 0 or self.filter_std > 0)

    @torch.no_grad()
    def forward(self, features: Tensor) -> Tensor:
        """Map (B, T, F) normalised log-mel features to another view of them."""
        if not self.is_active:
            return features
        factor = features.new_empty(len(features), 1).uniform_(-self.warp, self.warp)
        return warp_bands(features, 1 + factor) + self._filter(features)

    def _filter(self, features: Tensor) -> Tensor:
        """(B, 1, F) smooth curves over the bands; higher orders are weaker."""
        number = features.shape[-1]
        order = torch.arange(FILTER_ORDER + 1, device=features.device)[:, None]
        bands = torch.arange(number, device=features.device) + 0.5
        curves = torch.cos(math.pi * order * bands / number)
        weights = self.filter_std / order.clamp(min=1).squeeze(1)
        drawn = torch.randn(len(features), FILTER_ORDER + 1, device=features.device)
        return ((drawn * weights) @ curves)[:, None].to(features.dtype)


def warp_bands(features: Tensor, factor: Tensor) -> Tensor:
    """Read band f at f * factor by linear interpolation; the highest band repeats.

    Args:
        features: (B, T, F).
        factor: (B, 1).
    """
    number = features.shape[-1]
    place = torch.arange(number, device=features.device) * factor
    place = place.clamp(max=number - 1)[:, None]
    low = place.long().clamp(max=number - 2)
    weight = (place - low).to(features.dtype)
    low = low.expand_as(features)
    return torch.lerp(features.gather(2, low), features.gather(2, low + 1), weight)
