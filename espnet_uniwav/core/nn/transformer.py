"""The transformer layer of encoder, teacher and decoder, and a stack of them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from espnet_uniwav.core.nn.attention import attention
from espnet_uniwav.core.nn.masks import VisibleFrames
from espnet_uniwav.core.nn.positions import Order, Positions, rotate


class TransformerLayer(nn.Module):
    """Self-attention and a feed-forward network, post-norm or pre-norm.

    Args:
        embed_dim: Width D.
        num_heads: Attention heads H.
        ffn_dim: Width of the feed-forward network.
        norm_first: Normalise the input of each part (pre-norm) instead of the sum.
        dropout: Probability, on attention weights, FFN activations and both outputs.

    Attributes:
        checkpointing: Activation checkpointing in training: store the input only and
            recompute the rest for the gradient. Less memory, a third more time.
    """

    checkpointing = False

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        ffn_dim: int,
        norm_first: bool = False,
        dropout: float = 0.0,
    ):
        super().__init__()
        if embed_dim % num_heads:
            raise ValueError(
                f"embed_dim {embed_dim} must be a multiple of num_heads {num_heads}"
            )
        self.num_heads = num_heads
        self.norm_first = norm_first
        self.dropout = dropout
        self.qkv = nn.Linear(embed_dim, 3 * embed_dim)
        self.out = nn.Linear(embed_dim, embed_dim)
        self.attention_norm = nn.LayerNorm(embed_dim)
        self.fc1 = nn.Linear(embed_dim, ffn_dim)
        self.fc2 = nn.Linear(ffn_dim, embed_dim)
        self.ffn_norm = nn.LayerNorm(embed_dim)

    def forward(self, x: Tensor, order: Order) -> tuple[Tensor, Tensor]:
        """Apply the layer.

        Args:
            x: (B, T, D).
            order: Positions and padding.

        Returns:
            x: (B, T, D) output.
            ffn: (B, T, D) output of the feed-forward network before the residual
                sum and the final norm: DinoSR's target.
        """
        if self.checkpointing and self.training and torch.is_grad_enabled():
            return checkpoint(self._run, x, order, use_reentrant=False)
        return self._run(x, order)

    def _run(self, x: Tensor, order: Order) -> tuple[Tensor, Tensor]:
        if self.norm_first:
            x = x + self._drop(self.attention(self.attention_norm(x), order))
            ffn = self.ffn(self.ffn_norm(x))
            return x + self._drop(ffn), ffn
        x = self.attention_norm(x + self._drop(self.attention(x, order)))
        ffn = self.ffn(x)
        return self.ffn_norm(x + self._drop(ffn)), ffn

    def attention(self, x: Tensor, order: Order) -> Tensor:
        """Multi-head self-attention, (B, T, D)."""
        batch, length, dim = x.shape
        qk, v = self.qkv(x).split((2 * dim, dim), dim=-1)
        qk = qk.unflatten(-1, (2 * self.num_heads, -1))
        if order.rotation is not None:
            qk = rotate(qk, order.rotation)
        q, k = qk.transpose(1, 2).chunk(2, dim=1)
        v = v.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        x = attention(q, k, v, order.bias, self.dropout if self.training else 0.0)
        return self.out(x.transpose(1, 2).reshape(batch, length, dim))

    def ffn(self, x: Tensor) -> Tensor:
        """Two linear maps around a GELU, (B, T, D)."""
        return self.fc2(self._drop(F.gelu(self.fc1(x))))

    def _drop(self, x: Tensor) -> Tensor:
        if self.dropout == 0.0:
            return x
        return F.dropout(x, self.dropout, self.training)


class Transformer(nn.Module):
    """Positions, layers and a norm; returns every hidden state.

    The norm comes before the layers of a post-norm network and after those of a
    pre-norm network, as in wav2vec 2.0.

    Args:
        num_layers: Layers.
        embed_dim: Width D.
        num_heads: Attention heads H.
        ffn_dim: Width of the feed-forward networks.
        position: Kind of positions, see ``Positions``.
        norm_first: Pre-norm layers.
        dropout: Probability.
        layer_drop: Probability of skipping a layer in a training pass. Under DDP it
            needs ESPnet's ``unused_parameters: true``.
    """

    def __init__(
        self,
        num_layers: int,
        embed_dim: int,
        num_heads: int,
        ffn_dim: int,
        position: str = "conv_alibi",
        norm_first: bool = False,
        dropout: float = 0.0,
        layer_drop: float = 0.0,
    ):
        super().__init__()
        self.norm_first = norm_first
        self.dropout = dropout
        self.layer_drop = layer_drop
        self.positions = Positions(position, embed_dim, num_heads)
        self.layers = nn.ModuleList(
            TransformerLayer(embed_dim, num_heads, ffn_dim, norm_first, dropout)
            for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(embed_dim)
        self.apply(initialise)

    def forward(
        self,
        x: Tensor,
        padding_mask: Tensor | None = None,
        visible: VisibleFrames | None = None,
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Run the stack.

        Args:
            x: (B, T, D).
            padding_mask: (B, T), True = padding.
            visible: Process only these frames, as if the others were padding. The
                states stay packed. Replaces padding_mask.

        Returns:
            hidden_states: num_layers + 1 times (B, T, D): the input of the layers
                and the output of each, the last one normalised if pre-norm.
            ffn_outputs: num_layers times (B, T, D), see ``TransformerLayer``. A
                layer dropped in training repeats its input and adds no output.
        """
        if visible is None:
            x, order = self.positions(x, padding_mask)
        else:
            x = visible.pack(self.positions.add(x, visible.hidden))
            order = self.positions.order(x, visible.padding_mask, visible.frames)
        if not self.norm_first:
            x = self.norm(x)
        if self.dropout:
            x = F.dropout(x, self.dropout, self.training)
        hidden_states, ffn_outputs = [x], []
        for layer in self.layers:
            if not self._is_dropped():
                x, ffn = layer(x, order)
                ffn_outputs.append(ffn)
            hidden_states.append(x)
        if self.norm_first:
            hidden_states[-1] = self.norm(x)
        return hidden_states, ffn_outputs

    def _is_dropped(self) -> bool:
        return (
            self.training
            and self.layer_drop > 0
            and torch.rand(()).item() < self.layer_drop
        )


def initialise(module: nn.Module) -> None:
    """BERT's initialisation of linear maps: N(0, 0.02), zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
