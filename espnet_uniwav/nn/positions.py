"""What tells a transformer the order of its frames: convolution, ALiBi, rotary."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from espnet_uniwav.nn.precision import compute_dtype

# exp(-40) = 4e-18: nothing beside fp32's resolution of 6e-8, but no denormal number.
LOWEST_BIAS = -40.0
KINDS = ("conv", "conv_alibi", "alibi", "rotary", "conv_rotary", "alibi_rotary")


class Order(NamedTuple):
    """What the attention of every layer needs to know of positions and padding.

    Attributes:
        bias: Added to the attention logits, in their type, or bool (True = attend):
            broadcasts to (B, H, T, T). None attends everywhere.
        rotation: cos and sin, each (T, D / H / 2), or None.
    """

    bias: Tensor | None
    rotation: tuple[Tensor, Tensor] | None


class Positions(nn.Module):
    """Positions of one transformer, of one of the ``KINDS``.

    Args:
        kind: ``conv``: five convolutions added to the input (data2vec, DinoSR);
            ``alibi``: attention logits fall linearly with distance (Press et al.
            2022, both directions); ``rotary``: queries and keys are rotated (Su et
            al. 2021); or a combination.
        embed_dim: Width D.
        num_heads: Attention heads H.
    """

    def __init__(self, kind: str, embed_dim: int, num_heads: int):
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"unknown position {kind!r}: choose from {KINDS}")
        parts = kind.split("_")
        self.conv = ConvPosition(embed_dim) if "conv" in parts else None
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.alibi = "alibi" in parts
        self.rotary = "rotary" in parts

    def forward(self, x: Tensor, padding_mask: Tensor | None) -> tuple[Tensor, Order]:
        """Add positions to x and prepare those of the attention.

        Args:
            x: (B, T, D).
            padding_mask: (B, T), True = padding.

        Returns:
            x: (B, T, D).
            order: For every ``TransformerLayer``.
        """
        if self.conv is not None:
            x = x + self.conv(x, padding_mask)
        length = x.shape[1]
        bias = None if padding_mask is None else ~padding_mask[:, None, None, :]
        if self.alibi:
            slopes = alibi_bias(length, self.num_heads, x).to(compute_dtype(x))
            bias = slopes if bias is None else slopes.masked_fill(~bias, float("-inf"))
        rotation = rotary_angles(length, self.head_dim, x) if self.rotary else None
        return x, Order(bias, rotation)


class ConvPosition(nn.Module):
    """Relative positions from a stack of grouped convolutions (data2vec).

    Args:
        embed_dim: Width D.
        num_layers: Convolutions.
        kernel_size: Frames of each, odd.
        groups: Groups of channels, fewer if D is too small.
    """

    def __init__(
        self,
        embed_dim: int,
        num_layers: int = 5,
        kernel_size: int = 19,
        groups: int = 16,
    ):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv1d(
                embed_dim,
                embed_dim,
                kernel_size,
                padding=kernel_size // 2,
                groups=groups,
            )
            for _ in range(num_layers)
        )

    def forward(self, x: Tensor, padding_mask: Tensor | None) -> Tensor:
        """Map (B, T, D) to (B, T, D); padding is silent in front of every layer."""
        for layer in self.layers:
            if padding_mask is not None:
                x = x.masked_fill(padding_mask[..., None], 0.0)
            x = layer(x.transpose(1, 2)).transpose(1, 2)
            x = F.gelu(F.layer_norm(x, x.shape[-1:]))
        return x


def alibi_bias(length: int, num_heads: int, like: Tensor) -> Tensor:
    """(1, H, T, T) of - slope_h * |i - j|, slopes 2^(-8 h / H) for h = 1..H.

    Not below LOWEST_BIAS: a CPU computes the gradient of attention 2 to 5 times as
    slowly from weights that are denormal numbers, which say nothing.
    """
    heads = torch.arange(1, num_heads + 1, device=like.device)
    slopes = torch.exp2(-8.0 * heads / num_heads)
    frames = torch.arange(length, device=like.device)
    distance = (frames[:, None] - frames).abs().float()
    bias = -(slopes[:, None, None] * distance)[None]
    return bias.clamp(min=LOWEST_BIAS)


def rotary_angles(length: int, head_dim: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine of position * 10000^(-2 i / d), each (T, d / 2)."""
    frequencies = torch.arange(0, head_dim, 2, device=like.device) / head_dim
    positions = torch.arange(length, device=like.device)
    angles = positions[:, None] * torch.pow(10000.0, -frequencies)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate pairs of channels (B, T, H, d) by their position's angle."""
    cos, sin = (r[:, None].to(x.dtype) for r in rotation)
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)
