"""Grouped convolutions over frames: positions, or a light predictor."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


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
