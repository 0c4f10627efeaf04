"""The flow-matching decoder: a transformer over frames with U-Net skips."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from typeguard import typechecked

from espnet_uniwav.core.flow.gaps import interpolate
from espnet_uniwav.core.flow.precondition import Precondition
from espnet_uniwav.core.nn.positions import Positions
from espnet_uniwav.core.nn.transformer import TransformerLayer


class FlowDecoder(nn.Module):
    """Predicts the velocity dx_t from x_t, its time t and a condition z.

    Every frame has its own time. Frames to be generated share the time of the flow;
    given frames have t = 1. x_t, the given frames interpolated over the gaps, and z are
    concatenated and projected, and the embedded time is added. The second half of the
    layers reads the outputs of the first half in reverse order, by concatenation and a
    linear map (U-Net skips). In Voicebox and SpeechFlow the time is one more token, and
    the context is zero in the gaps. A condition may bring a draft of the data, which
    takes the place of the interpolation.

    Args:
        feature_dim: Width F of x.
        condition_dim: Width of z.
        num_layers: Layers.
        embed_dim: Width D.
        num_heads: Attention heads.
        ffn_dim: Width of the feed-forward networks.
        position: Kind of positions, see ``Positions``.
        dropout: Probability.
    """

    @typechecked
    def __init__(
        self,
        feature_dim: int,
        condition_dim: int,
        num_layers: int = 6,
        embed_dim: int = 768,
        num_heads: int = 12,
        ffn_dim: int = 3072,
        position: str = "conv_alibi",
        dropout: float = 0.0,
    ):
        super().__init__()
        self.precondition = Precondition(feature_dim)
        self.input_projection = nn.Linear(2 * feature_dim + condition_dim, embed_dim)
        self.time_embedding = TimeEmbedding(embed_dim)
        self.condition_dim = condition_dim
        self.positions = Positions(position, embed_dim, num_heads)
        self.layers = nn.ModuleList(
            TransformerLayer(embed_dim, num_heads, ffn_dim, True, dropout)
            for _ in range(num_layers)
        )
        self.skips = nn.ModuleList(
            nn.Linear(2 * embed_dim, embed_dim) for _ in range(num_layers // 2)
        )
        self.norm = nn.LayerNorm(embed_dim)
        self.output_projection = nn.Linear(embed_dim, feature_dim)
        self.apply(keep_variance)
        nn.init.zeros_(self.output_projection.weight)
        self.context_gain = nn.Parameter(torch.ones(feature_dim))

    def forward(
        self, x_t: Tensor, t: Tensor, z: Tensor, padding_mask: Tensor | None = None
    ) -> Tensor:
        """Velocity at every frame.

        Args:
            x_t: (B, T, F) points of the path.
            t: (B, T) their times in [0, 1]; a frame at 1 is given.
            z: (B, T, C) condition; zeros mean no condition. Or (B, T, C + F): the last
                F are a draft of the whitened data (``Precondition``).
            padding_mask: (B, T), True = padding.

        Returns:
            (B, T, F) velocity in fp32; undefined at given frames.
        """
        x = self.precondition.scale_input(x_t, t)
        given = t == 1
        if padding_mask is not None:
            given = given & ~padding_mask
        z, draft = z.split((self.condition_dim, z.shape[-1] - self.condition_dim), -1)
        context = interpolate(x, given)
        if draft.shape[-1]:
            context = torch.where(given[..., None], context, draft.to(x.dtype))
        x = self.input_projection(torch.cat((x, context, z.to(x.dtype)), dim=-1))
        x, order = self.positions(x + self.time_embedding(t), padding_mask)
        outputs = []
        first_skip = len(self.layers) - len(self.skips)
        for i, layer in enumerate(self.layers):
            if i >= first_skip:
                skip = outputs[len(self.layers) - 1 - i]
                x = self.skips[i - first_skip](torch.cat((x, skip), dim=-1))
            x, _ = layer(x, order)
            outputs.append(x)
        output = self.output_projection(self.norm(x))
        return self.precondition.velocity(output, x_t, t, self.context_gain * context)


class TimeEmbedding(nn.Module):
    """Sinusoids of the time, then a two-layer network: (...) to (..., D)."""

    def __init__(self, embed_dim: int, num_frequencies: int = 64):
        super().__init__()
        frequencies = torch.exp(
            -math.log(10000.0) * torch.arange(num_frequencies) / num_frequencies
        )
        self.register_buffer("frequencies", 1000 * frequencies, persistent=False)
        self.network = nn.Sequential(
            nn.Linear(2 * num_frequencies, embed_dim),
            nn.SiLU(),
            nn.Linear(embed_dim, embed_dim),
        )

    def forward(self, t: Tensor) -> Tensor:
        """Map (...) times in [0, 1] to (..., D)."""
        angles = t[..., None] * self.frequencies
        return self.network(torch.cat((angles.cos(), angles.sin()), dim=-1))


def keep_variance(module: nn.Module) -> None:
    """Initialise linear maps with N(0, 1 / fan_in), zero biases.

    With BERT's N(0, 0.02) the attention of a narrow decoder stays uniform for hundreds
    of updates before it attends to the neighbours of a gap.
    """
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=module.in_features**-0.5)
        nn.init.zeros_(module.bias)
