"""Codes learned together with encoder and decoder: finite scalar quantisation."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from espnet_uniwav.nn.precision import full_precision
from espnet_uniwav.nn.weighted_sum import WeightedSum
from espnet_uniwav.ssl.teacher import instance_norm

LEVELS = 4  # of a digit: two bits


class Reading(NamedTuple):
    """What a tokenizer makes of a batch of features.

    Attributes:
        codes: (B, K, N) codes, arbitrary at padding.
        condition: (B, T, D) what the decoder reads.
        digits: (B, N, K * digits of a code) in [-1, 1], with the gradient of a
            straight-through estimate; None without learned codes.
    """

    codes: Tensor
    condition: Tensor
    digits: Tensor | None = None


class LearnedQuantizer(nn.Module):
    """K codes of every N frames, and digits of the voice once per utterance.

    A weighted sum of the encoder's states, normalised over the utterance, is projected
    to a few digits of four levels each (Mentzer 2024); the digits of a code are its
    number in base four. There is no codebook that could collapse. A network of one
    hidden layer turns the digits of a code into the conditions of its frames. What an
    utterance has in common, such as the voice, is in the mean of the states, which has
    digits of its own.

    Args:
        width: Width D of states and condition.
        num_states: Number of states.
        num_codebooks: K.
        codebook_size: Values V of a code, a power of four.
        frames_per_code: Frames N that share a code.
        voice_digits: Digits of the voice, two bits each; 0: none.
        hidden: Width of the hidden layer.
    """

    def __init__(
        self,
        width: int,
        num_states: int,
        num_codebooks: int,
        codebook_size: int = 1024,
        frames_per_code: int = 1,
        voice_digits: int = 0,
        hidden: int = 64,
    ):
        super().__init__()
        self.num_codebooks = num_codebooks
        self.codebook_size = codebook_size
        self.frames_per_code = frames_per_code
        self.voice_digits = voice_digits
        self.digits = round(math.log(codebook_size, LEVELS))
        if codebook_size != LEVELS**self.digits or num_codebooks < 1:
            raise ValueError(
                "learned codes need num_codebooks of 1 or more and a codebook_size "
                f"that is a power of {LEVELS}, found {num_codebooks} and "
                f"{codebook_size}"
            )
        size = num_codebooks * self.digits
        self.weighted_sum = WeightedSum(num_states)
        self.norm = nn.LayerNorm(width)
        self.write = nn.Linear(frames_per_code * width, size)
        _spread(self.write)
        self.write_voice = nn.Linear(width, voice_digits) if voice_digits else None
        self.embed = nn.Sequential(
            nn.Linear(size + voice_digits, hidden),
            nn.GELU(),
            nn.Linear(hidden, frames_per_code * width),
        )

    def forward(
        self, states: list[Tensor], padding_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Quantise.

        Args:
            states: (B, T, D) each.
            padding_mask: (B, T), True = padding.

        Returns:
            (B, N, K * digits) digits of the codes and (B, voice_digits) of the voice.
        """
        with full_precision(states[0].device):
            h = self.norm(self.weighted_sum([state.float() for state in states]))
            own = instance_norm(h[None], padding_mask)[0]
            if padding_mask is not None:
                h = h.masked_fill(padding_mask[..., None], 0.0)
                own = own.masked_fill(padding_mask[..., None], 0.0)
            groups = F.pad(own, (0, 0, 0, -own.shape[1] % self.frames_per_code))
            groups = groups.unflatten(1, (-1, self.frames_per_code)).flatten(2)
            return _round(self.write(groups)), self._voice(h, padding_mask)

    def _voice(self, h: Tensor, padding_mask: Tensor | None) -> Tensor:
        if self.write_voice is None:
            return h.new_zeros(len(h), 0)
        frames = h.shape[1]
        if padding_mask is not None:
            frames = (~padding_mask).sum(1, keepdim=True)
        return _round(self.write_voice(h.sum(1) / frames))

    def condition(self, digits: Tensor, voice: Tensor, frames: int) -> Tensor:
        """Condition of the decoder.

        Args:
            digits: (B, N, K * digits).
            voice: (B, voice_digits); zeros: of nobody in particular.
            frames: T.

        Returns:
            (B, T, D).
        """
        voice = voice[:, None].expand(-1, digits.shape[1], -1)
        groups = self.embed(torch.cat((digits, voice), dim=-1))
        groups = groups.unflatten(-1, (self.frames_per_code, -1))
        return groups.flatten(1, 2)[:, :frames]

    def codes(self, digits: Tensor) -> Tensor:
        """Digits (B, N, K * digits) to codes (B, K, N)."""
        levels = levels_of(digits).unflatten(-1, (self.num_codebooks, self.digits))
        return (levels * self._places(levels.device)).sum(-1).transpose(1, 2)

    def digits_of(self, codes: Tensor) -> Tensor:
        """Codes (B, K, N) to digits (B, N, K * digits)."""
        levels = codes.transpose(1, 2)[..., None] // self._places(codes.device)
        return values_of(levels % LEVELS).flatten(2)

    def _places(self, device: torch.device) -> Tensor:
        return LEVELS ** torch.arange(self.digits, device=device)


def _spread(linear: nn.Linear) -> None:
    """Start with all levels equally often for inputs of unit variance (logistic)."""
    nn.init.normal_(linear.weight, std=math.pi / math.sqrt(3 * linear.in_features))
    nn.init.zeros_(linear.bias)


def _round(x: Tensor) -> Tensor:
    """The nearest of the levels in [-1, 1]; the gradient is that before rounding."""
    x = (LEVELS * x.sigmoid() - 0.5).clamp(-0.499, LEVELS - 0.501)
    x = 2 * x / (LEVELS - 1) - 1
    return x + (values_of(levels_of(x)) - x).detach()


def levels_of(values: Tensor) -> Tensor:
    """Digits in [-1, 1] to whole numbers from 0 to LEVELS - 1."""
    return ((values.detach() + 1) * ((LEVELS - 1) / 2)).round().long()


def values_of(levels: Tensor) -> Tensor:
    """Whole numbers from 0 to LEVELS - 1 to digits in [-1, 1]."""
    return 2 * levels.float() / (LEVELS - 1) - 1
