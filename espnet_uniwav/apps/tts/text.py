"""Text as a condition of the flow: encoded tokens, spread over their frames."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from espnet_uniwav.apps.tts.durations import token_of_frame
from espnet_uniwav.core.flow.decoder import keep_variance
from espnet_uniwav.core.nn.transformer import Transformer


class TextEncoder(nn.Module):
    """Tokens (B, L) to states (B, L, D).

    Args:
        num_tokens: Size of the token list.
        embed_dim: Width D.
        num_layers: Layers.
        num_heads: Attention heads.
        dropout: Probability.
    """

    def __init__(
        self,
        num_tokens: int,
        embed_dim: int,
        num_layers: int = 2,
        num_heads: int = 4,
        dropout: float = 0.1,
    ):
        super().__init__()
        self.embedding = nn.Embedding(num_tokens, embed_dim)
        self.transformer = Transformer(
            num_layers,
            embed_dim,
            num_heads,
            4 * embed_dim,
            "rotary",
            norm_first=True,
            dropout=dropout,
        )
        self.transformer.apply(keep_variance)

    def forward(self, tokens: Tensor, padding_mask: Tensor | None = None) -> Tensor:
        """Encode tokens; ``padding_mask`` is (B, L), True = padding."""
        return self.transformer(self.embedding(tokens), padding_mask)[0][-1]


class TextCondition(nn.Module):
    """Text states (B, L, D) to a condition of every frame (B, T, D).

    A frame receives the state of its token and its position in the token: the share
    that has passed, and the logarithm of the duration.

    Args:
        embed_dim: Width D.
    """

    def __init__(self, embed_dim: int):
        super().__init__()
        self.place_projection = nn.Linear(2, embed_dim)
        self.output_projection = nn.Linear(embed_dim, embed_dim)
        self.apply(keep_variance)
        self.no_text = nn.Parameter(torch.zeros(embed_dim))

    def forward(
        self, states: Tensor, durations: Tensor, silent: Tensor | None, num_frames: int
    ) -> Tensor:
        """Spread states over frames.

        Args:
            states: (B, L, D).
            durations: (B, L) frames.
            silent: (B, T), True = frames without text; None = no such frame.
            num_frames: T.

        Returns:
            (B, T, D).
        """
        token = token_of_frame(durations, num_frames)
        own = durations.gather(1, token).clamp(min=1)
        start = (durations.cumsum(1) - durations).gather(1, token)
        frames = torch.arange(num_frames, device=durations.device)
        share = (frames - start + 0.5) / own
        place = torch.stack((2 * share - 1, torch.log(own.float()) - 1), dim=-1)
        x = states.gather(1, token[..., None].expand(-1, -1, states.shape[-1]))
        x = self.output_projection(x + self.place_projection(place))
        if silent is None:
            return x
        return torch.where(silent[..., None], self.no_text.to(x.dtype), x)
