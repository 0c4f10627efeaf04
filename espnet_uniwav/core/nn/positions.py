"""Position encodings of a transformer: convolution, ALiBi, rotary."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from espnet_uniwav.core.nn.precision import compute_dtype

# exp(-40) = 4e-18: far below fp32's resolution of 6e-8, but not a denormal number.
LOWEST_BIAS = -40.0
KINDS = ("conv", "conv_alibi", "alibi", "rotary", "conv_rotary", "alibi_rotary")


class Order(NamedTuple):
    """Positions and padding, as the attention of every layer uses them.

    Attributes:
        bias: Added to the attention logits, in their type, or bool (True = attend):
            broadcasts to (B, H, T, T). None attends everywhere.
        rotation: cos and signed sin, each (1 or B, T, D / H), or None.
    """

    bias: Tensor | None
    rotation: tuple[Tensor, Tensor] | None


class Positions(nn.Module):
    """Position encoding of one transformer, one of ``KINDS``.

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
        self.conv = ConvStack(embed_dim) if "conv" in parts else None
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.alibi = "alibi" in parts
        self.rotary = "rotary" in parts

    def forward(self, x: Tensor, padding_mask: Tensor | None) -> tuple[Tensor, Order]:
        """Add positions to x and prepare those used in the attention.

        Args:
            x: (B, T, D).
            padding_mask: (B, T), True = padding.

        Returns:
            x: (B, T, D).
            order: For every ``TransformerLayer``.
        """
        return self.add(x, padding_mask), self.order(x, padding_mask)

    def add(self, x: Tensor, padding_mask: Tensor | None) -> Tensor:
        """Add the convolutional positions, if any, to x (B, T, D)."""
        return x if self.conv is None else x + self.conv(x, padding_mask)

    def order(
        self, x: Tensor, padding_mask: Tensor | None, frames: Tensor | None = None
    ) -> Order:
        """Prepare the attention bias and the rotation.

        Args:
            x: (B, T, D).
            padding_mask: (B, T), True = padding.
            frames: (B, T) index of every frame in its utterance; None: 0 to T - 1.
        """
        if frames is None:
            frames = torch.arange(x.shape[1], device=x.device)[None]
        bias = None if padding_mask is None else ~padding_mask[:, None, None, :]
        if self.alibi:
            slopes = alibi_bias(frames, self.num_heads).to(compute_dtype(x))
            bias = slopes if bias is None else slopes.masked_fill(~bias, float("-inf"))
        rotation = rotary_angles(frames, self.head_dim) if self.rotary else None
        return Order(bias, rotation)


def alibi_bias(frames: Tensor, num_heads: int) -> Tensor:
    """(B, H, T, T) of - slope_h * |i - j|, slopes 2^(-8 h / H) for h = 1..H.

    Clamped at LOWEST_BIAS. Denormal attention weights contribute nothing, but make
    the gradient of attention 2 to 5 times slower on a CPU.

    Args:
        frames: (B, T) indices of the frames.
        num_heads: H.
    """
    heads = torch.arange(1, num_heads + 1, device=frames.device)
    slopes = torch.exp2(-8.0 * heads / num_heads)
    distance = (frames[:, :, None] - frames[:, None]).abs().float()
    bias = -slopes[:, None, None] * distance[:, None]
    return bias.clamp(min=LOWEST_BIAS)


def rotary_angles(frames: Tensor, head_dim: int) -> tuple[Tensor, Tensor]:
    """Cosine and signed sine of frame * 10000^(-2 i / d), each (B, T, d).

    Both halves of d have the same angles; in the first half the sine is negative.
    """
    frequencies = torch.arange(0, head_dim, 2, device=frames.device) / head_dim
    angles = frames[..., None] * torch.pow(10000.0, -frequencies)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat((cos, cos), dim=-1), torch.cat((-sin, sin), dim=-1)


def rotate(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate the pairs (i, i + d / 2) of x (B, T, H, d) by their position's angle."""
    cos, sin = (r[:, :, None].to(x.dtype) for r in rotation)
    return x * cos + x.roll(x.shape[-1] // 2, dims=-1) * sin


class ConvStack(nn.Module):
    """Convolution, layer norm and GELU, several times (data2vec's positions).

    Args:
        embed_dim: Width D.
        num_layers: Convolutions.
        kernel_size: Frames of each, odd.
        groups: Groups of channels; must divide D.
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
        """Map (B, T, D) to (B, T, D); padding is set to zero before every layer."""
        for layer in self.layers:
            if padding_mask is not None:
                x = x.masked_fill(padding_mask[..., None], 0.0)
            x = layer(x.transpose(1, 2)).transpose(1, 2)
            x = F.gelu(F.layer_norm(x, x.shape[-1:]))
        return x
