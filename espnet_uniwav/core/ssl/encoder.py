"""The encoder: features -> hidden states."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from typeguard import typechecked

from espnet_uniwav.core.nn.masks import VisibleFrames
from espnet_uniwav.core.nn.transformer import Transformer


class Encoder(nn.Module):
    """Projects features, masks frames and runs the transformer.

    The projection starts with unit variance, like the convolutional positions. If it
    were much smaller, the positions would dominate the features, of which the first
    targets are made.

    Args:
        input_dim: Width F of the features.
        num_layers: Layers.
        embed_dim: Width D.
        num_heads: Attention heads.
        ffn_dim: Width of the feed-forward networks.
        position: ``conv_alibi`` (default), ``conv``, ``alibi``, ``rotary``,
            ``conv_rotary`` or ``alibi_rotary``.
        norm_first: Pre-norm layers; DinoSR is post-norm.
        dropout: Probability.
        layer_drop: Probability of skipping a layer in training.
        visible_only: Leave masked frames out of the layers (data2vec 2.0) instead of
            replacing them by the mask embedding. Their hidden states are then the
            mask embedding. Training cost falls with the share of masked frames.
    """

    @typechecked
    def __init__(
        self,
        input_dim: int,
        num_layers: int = 12,
        embed_dim: int = 768,
        num_heads: int = 12,
        ffn_dim: int = 3072,
        position: str = "conv_alibi",
        norm_first: bool = False,
        dropout: float = 0.1,
        layer_drop: float = 0.0,
        visible_only: bool = False,
    ):
        super().__init__()
        self.visible_only = visible_only
        self.input_dim = input_dim
        self.embed_dim = embed_dim
        self.num_layers = num_layers
        self.input_projection = nn.Linear(input_dim, embed_dim)
        self.mask_embedding = nn.Parameter(torch.empty(embed_dim).uniform_())
        nn.init.normal_(self.input_projection.weight, std=input_dim**-0.5)
        nn.init.zeros_(self.input_projection.bias)
        self.transformer = Transformer(
            num_layers,
            embed_dim,
            num_heads,
            ffn_dim,
            position,
            norm_first,
            dropout,
            layer_drop,
        )

    def truncate(self, num_layers: int) -> None:
        """Keep the first ``num_layers`` layers; their states do not change."""
        if num_layers < self.num_layers and self.transformer.norm_first:
            self.transformer.norm = nn.Identity()
        self.transformer.layers = self.transformer.layers[:num_layers]
        self.num_layers = num_layers

    def embed(self, features: Tensor) -> Tensor:
        """Map (B, T, F) features to (B, T, D): what the teacher reads."""
        return self.input_projection(features)

    def forward(
        self,
        embedded: Tensor,
        padding_mask: Tensor | None = None,
        mask: Tensor | None = None,
        visible: tuple[int, int] | None = None,
    ) -> list[Tensor]:
        """Run the transformer on embedded features.

        Args:
            embedded, padding_mask, mask, visible: See ``outputs``.

        Returns:
            num_layers + 1 hidden states, each (B, T, D).
        """
        return self.outputs(embedded, padding_mask, mask, visible)[0]

    def outputs(
        self,
        embedded: Tensor,
        padding_mask: Tensor | None = None,
        mask: Tensor | None = None,
        visible: tuple[int, int] | None = None,
        num_ffn: int = 0,
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Run the transformer, and keep what its top layers add to their input.

        Args:
            embedded: (B, T, D) from ``embed``.
            padding_mask: (B, T), True = padding.
            mask: (B, T), True = masked: replaced by the mask embedding, before the
                layers or, with ``visible_only``, in all states and FFN outputs.
            visible: Fewest and most visible frames, see ``VisibleFrames``.
            num_ffn: Top layers whose FFN outputs are kept.

        Returns:
            hidden_states: num_layers + 1 times (B, T, D).
            ffn_outputs: num_ffn times (B, T, D), see ``TransformerLayer``.
        """
        packed = None
        if mask is not None and self.visible_only:
            hidden = mask if padding_mask is None else mask | padding_mask
            packed = VisibleFrames(hidden, visible)
        elif mask is not None:
            hidden = self.mask_embedding.to(embedded.dtype)
            embedded = torch.where(mask[..., None], hidden, embedded)
        states, ffn = self.transformer(embedded, padding_mask, packed)
        ffn = ffn[len(ffn) - num_ffn :]
        if packed is None:
            return states, ffn
        states, ffn = (
            [packed.unpack(x, self.mask_embedding) for x in part]
            for part in (states, ffn)
        )
        return states, ffn
