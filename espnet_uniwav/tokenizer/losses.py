"""What else learned codes are trained for; used in training alone."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from espnet_uniwav.nn.masks import drop_if_unpadded
from espnet_uniwav.ssl.encoder import Encoder
from espnet_uniwav.ssl.teacher import instance_norm
from espnet_uniwav.tokenizer.learned import LearnedQuantizer, Reading


class CodeLosses(nn.Module):
    """Mean squared errors of what small networks predict from the codes.

    ``loss_features``: the features, from the condition of the decoder. The flow alone
    teaches codes slowly: its targets are mostly noise. ``loss_meaning``: the last state
    of the encoder as it was before, normalised over the utterance, from the first
    codebook, which is to hold what is said rather than how it sounds. (Its own last
    state would be no target: it becomes what is easy to predict.)

    Args:
        quantizer: Defines the sizes.
        encoder: Defines them too; ``keep`` copies its weights.
        feature_dim: Width F of the features.
        feature_weight: Factor of the first.
        meaning_weight: Factor of the second.
    """

    def __init__(
        self,
        quantizer: LearnedQuantizer,
        encoder: Encoder,
        feature_dim: int,
        feature_weight: float = 1.0,
        meaning_weight: float = 0.5,
    ):
        super().__init__()
        self.digits = quantizer.digits
        self.frames_per_code = quantizer.frames_per_code
        self.feature_weight = feature_weight
        self.meaning_weight = meaning_weight
        width = encoder.embed_dim
        self.anchor = copy.deepcopy(encoder).requires_grad_(False)
        self.features = nn.Linear(width, feature_dim)
        self.meaning = nn.Sequential(
            nn.Linear(self.digits, width),
            nn.GELU(),
            nn.Linear(width, self.frames_per_code * width),
        )

    def keep(self, encoder: Encoder) -> None:
        """Take these weights for the targets of ``loss_meaning``."""
        self.anchor.load_state_dict(encoder.state_dict())

    def train(self, mode: bool = True) -> CodeLosses:
        """Set the mode; the copy of the encoder stays in evaluation mode."""
        super().train(mode)
        self.anchor.eval()
        return self

    def forward(
        self, reading: Reading, x: Tensor, padding: Tensor
    ) -> dict[str, Tensor]:
        """Losses by name, weighted.

        Args:
            reading: Of learned codes.
            x: (B, T, F) features.
            padding: (B, T), True = padding.
        """
        mask = drop_if_unpadded(padding)
        with torch.no_grad():
            last = self.anchor(self.anchor.embed(x), mask)[-1]
        last = instance_norm(last.float()[None], mask)[0]
        meaning = self.meaning(reading.digits[..., : self.digits])
        meaning = meaning.unflatten(-1, (self.frames_per_code, -1)).flatten(1, 2)
        meaning = meaning[:, : x.shape[1]]
        features = self.features(reading.condition)
        return {
            "loss_features": self.feature_weight * _error(features, x, padding),
            "loss_meaning": self.meaning_weight * _error(meaning, last, padding),
        }


def _error(found: Tensor, expected: Tensor, padding: Tensor) -> Tensor:
    error = (found.float() - expected).square().mean(-1)
    return torch.where(padding, 0.0, error).sum() / (~padding).sum()
