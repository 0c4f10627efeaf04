"""What every objective of pre-training is, and what it reads of a batch."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from espnet_uniwav.core.ssl.encoder import Encoder


@dataclass
class MaskedBatch:
    """V masked views of B utterances, and the encoder's pass over them.

    The V * B rows of the views hold all utterances of the first view before those of
    the second.

    Attributes:
        features: (B, T, F) of the first view: the data that the decoder learns.
        lengths: (B,) valid frames.
        padding_mask: (B, T), True = padding; None: no frame is padding.
        mask: (B, T), True = masked in the first view.
        masked: (N,) indices of the masked frames in the flattened (V * B * T).
        embedded: (B, T, D) unmasked, unperturbed input of the transformer: what the
            teacher reads.
        hidden_states: num_layers + 1 times (V * B, T, D).
        ffn_outputs: Of the top layers, as many as the objectives read; like
            ``hidden_states``.
        labels: (B, L) given labels; None: none are given.
    """

    features: Tensor
    lengths: Tensor
    padding_mask: Tensor | None
    mask: Tensor
    masked: Tensor
    embedded: Tensor
    hidden_states: list[Tensor]
    ffn_outputs: list[Tensor]
    labels: Tensor | None = None

    @property
    def num_views(self) -> int:
        """V."""
        return len(self.hidden_states[-1]) // len(self.embedded)

    def padding_of_views(self) -> Tensor | None:
        """(V * B, T) padding mask of all views."""
        if self.padding_mask is None:
            return None
        return self.padding_mask.repeat(self.num_views, 1)


class Objective(nn.Module):
    """A loss on the encoder's masked pass; a subclass is built of the encoder.

    Args:
        weight: Factor of the loss in the sum.

    Attributes:
        num_ffn: Top layers whose FFN outputs ``forward`` reads.
        model_parts: Its modules that a trained ``UniWav`` keeps, under the same names.
    """

    num_ffn = 0
    model_parts: tuple[str, ...] = ()

    def __init__(self, weight: float = 1.0):
        super().__init__()
        self.weight = weight

    def forward(self, batch: MaskedBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one batch, a scalar in fp32, and statistics, detached scalars."""
        raise NotImplementedError

    def after_optimizer_step(self, encoder: Encoder) -> None:
        """Update what no gradient updates, after every optimiser step."""
