"""Utterances in training: with their text, and with a gap that is to be generated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from espnet_uniwav.apps.tts.durations import tokens_outside


class Batch(NamedTuple):
    """Utterances with their text, time-aligned.

    Attributes:
        tokens: (B, L).
        token_lengths: (B,).
        durations: (B, L) frames of the tokens.
        x: (B, T, F) features.
        lengths: (B,) valid frames.
    """

    tokens: Tensor
    token_lengths: Tensor
    durations: Tensor
    x: Tensor
    lengths: Tensor


@dataclass(frozen=True)
class MaskedBatch:
    """A batch with a gap in every utterance, and what is known about it.

    Attributes:
        mask: (B, T), True = to be generated.
        visible: (B, T), True = outside the gap, no padding.
        untranscribed: (B, 1), True = only the text of the gap is known.
        padding_mask: (B, T), True = padding; None without padding.
        text_padding: (B, L), True = padding; None without padding.
        phones: (B, L).
        ends: (B, L), True = last phone of a word.
        durations: (B, L) frames of the phones, 0 at padding.
    """

    mask: Tensor
    visible: Tensor
    untranscribed: Tensor
    padding_mask: Tensor | None
    text_padding: Tensor | None
    phones: Tensor
    ends: Tensor
    durations: Tensor

    @property
    def known(self) -> Tensor:
        """(B, L), True = the duration of the phone is known."""
        return tokens_outside(self.mask, self.durations) & ~self.untranscribed
