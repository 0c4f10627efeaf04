"""What a tokenizer makes of features."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Reading(NamedTuple):
    """Codes of a batch of features, and what the decoder reads.

    Attributes:
        codes: (B, K, N) codes, arbitrary at padding.
        condition: (B, T, D) what the decoder reads; (B, T, D + F) of learned codes.
        voice: (B, voice_digits) numbers from 0 to 3.
        draft: (B, T, F) features that the codes tell at once; None of clusters.
    """

    codes: Tensor
    condition: Tensor
    voice: Tensor
    draft: Tensor | None = None
