"""Durations: from tokens to frames, and their prediction."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from espnet_uniwav.core.flow.decoder import keep_variance
from espnet_uniwav.core.nn.transformer import Transformer


def token_of_frame(durations: Tensor, num_frames: int) -> Tensor:
    """Which token every frame belongs to.

    Args:
        durations: (B, L) frames of every token; zero skips a token.
        num_frames: T.

    Returns:
        (B, T) indices below L; frames after the last token belong to it.
    """
    ends = durations.cumsum(1).clamp(max=num_frames)
    number = ends.new_zeros(len(ends), num_frames + 1)  # of ends at a frame
    number = number.scatter_add(1, ends, torch.ones_like(ends))
    return number[:, :-1].cumsum(1).clamp(max=durations.shape[1] - 1)


def tokens_outside(gap: Tensor, durations: Tensor) -> Tensor:
    """Which tokens have no frame in the gap: (B, T), (B, L) to (B, L)."""
    hidden = F.pad(gap.long().cumsum(1), (1, 0))
    ends = durations.cumsum(1)
    starts = ends - durations
    before, after = (
        hidden.gather(1, i.clamp(max=gap.shape[1])) for i in (starts, ends)
    )
    return before == after


def scale_durations(durations: Tensor, total: int) -> Tensor:
    """Stretch durations so that they sum to a total.

    Args:
        durations: (L,) frames, integer or not, zero or more, not all zero.
        total: Integer number of frames.

    Returns:
        (L,) integer frames. The ends of the tokens are rounded, not the durations, so
        that no end moves by more than half a frame.
    """
    ends = durations.double().cumsum(0)
    ends = (ends * (total / ends[-1])).round().long()
    return ends.diff(prepend=ends.new_zeros(1))


def check_durations(durations: Tensor, count: int, total: int | None = None) -> None:
    """Refuse durations that do not fit.

    Args:
        durations: (L,) frames.
        count: Tokens that need one.
        total: Frames that they must sum to; None: any.

    Raises:
        ValueError: Naming what was expected and what was found.
    """
    if len(durations) != count:
        raise ValueError(f"expected {count} durations, found {len(durations)}")
    if (durations < 0).any() or durations.sum() == 0:
        raise ValueError("durations must be zero or more, and not all zero")
    if total is not None and durations.sum() != total:
        raise ValueError(
            f"the durations of the prompt sum to {int(durations.sum())} frames, but it "
            f"has {total}"
        )


class DurationPredictor(nn.Module):
    """Predicts log(1 + frames) of phones from their neighbours and known durations.

    It sees where words end, and nothing but text and durations. The known durations,
    those of the prompt, carry the speaker's pace (as in Voicebox's duration model, here
    by regression). Predictions are medians, whose sum is a little shorter than that of
    real durations: see ``speed`` of ``tts_conf``.

    Args:
        num_phones: Number of phones.
        embed_dim: Width.
        num_layers: Layers.
        num_heads: Attention heads.
        dropout: Probability.
    """

    def __init__(
        self,
        num_phones: int,
        embed_dim: int = 256,
        num_layers: int = 4,
        num_heads: int = 4,
        dropout: float = 0.1,
    ):
        super().__init__()
        self.embedding = nn.Embedding(num_phones, embed_dim)
        self.end_embedding = nn.Embedding(2, embed_dim)
        self.known_projection = nn.Linear(2, embed_dim)
        self.transformer = Transformer(
            num_layers,
            embed_dim,
            num_heads,
            4 * embed_dim,
            "rotary",
            norm_first=True,
            dropout=dropout,
        )
        self.output_projection = nn.Linear(embed_dim, 1)
        self.apply(keep_variance)

    def forward(
        self,
        phones: Tensor,
        ends: Tensor,
        durations: Tensor,
        known: Tensor,
        padding_mask: Tensor | None = None,
    ) -> Tensor:
        """Predict all durations.

        Args:
            phones: (B, L).
            ends: (B, L), True = last phone of a word.
            durations: (B, L) frames; arbitrary where not known.
            known: (B, L), True = duration is known.
            padding_mask: (B, L), True = padding.

        Returns:
            (B, L) of log(1 + frames).
        """
        logs = torch.log1p(durations.float()).masked_fill(~known, 0.0)
        given = torch.stack((logs, known.float()), dim=-1)
        x = self.embedding(phones) + self.end_embedding(ends.long())
        x = x + self.known_projection(given)
        x = self.transformer(x, padding_mask)[0][-1]
        return self.output_projection(x).squeeze(-1).float()

    def loss(
        self,
        phones: Tensor,
        ends: Tensor,
        durations: Tensor,
        known: Tensor,
        padding_mask: Tensor | None = None,
    ) -> Tensor:
        """Mean absolute error of the logarithms at phones that are not known."""
        predicted = self(phones, ends, durations, known, padding_mask)
        wanted = ~known if padding_mask is None else ~known & ~padding_mask
        error = F.l1_loss(predicted, torch.log1p(durations.float()), reduction="none")
        return (error * wanted).sum() / wanted.sum().clamp(min=1)

    @torch.no_grad()
    def predict(
        self, phones: Tensor, ends: Tensor, durations: Tensor, known: Tensor
    ) -> Tensor:
        """Durations (L,) in frames, not rounded, of one text (1, L)."""
        predicted = self(phones, ends, durations, known)[0]
        predicted = torch.expm1(predicted).clamp(min=0.0)
        return torch.where(known[0], durations[0].float(), predicted)
