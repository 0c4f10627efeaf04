"""Utterances with a gap, as the synthesiser sees them in training."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Cloze:
    """A batch with a gap in every utterance, and what is known about it.

    Attributes:
        gap: (B, T), True = to be generated.
        seen: (B, T), True = outside the gap, no padding.
        silent: (B, 1), True = only the text of the gap is known.
        padding_mask: (B, T), True = padding; None without padding.
        text_padding: (B, L), True = padding; None without padding.
        durations: (B, L) frames of the tokens, 0 at padding.
        states: (B, L, D) of the text encoder.
        hidden_states: num_layers + 1 states (B, T, D) of the encoder, which does not
            see the gap.
        z: (B, T, D) condition of the decoder.
    """

    gap: Tensor
    seen: Tensor
    silent: Tensor
    padding_mask: Tensor | None
    text_padding: Tensor | None
    durations: Tensor
    states: Tensor
    hidden_states: list[Tensor]
    z: Tensor
