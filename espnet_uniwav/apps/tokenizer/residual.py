"""Residual vector quantisation, and what a quantizer of a tokenizer returns."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from espnet_uniwav.core.ssl.codebook import nearest


class Quantized(NamedTuple):
    """Codes of a batch of features, and what the decoder reads.

    Attributes:
        codes: (B, K, N) codes, arbitrary at padding.
        condition: (B, T, D) what the decoder reads; (B, T, D + F) of learned codes.
        speaker_code: (B, speaker_code_length) numbers from 0 to 3.
        draft: (B, T, F) features that follow from the codes alone; None of clusters.
    """

    codes: Tensor
    condition: Tensor
    speaker_code: Tensor
    draft: Tensor | None = None


@torch.no_grad()
def encode_residual(
    x: Tensor, codebooks: Tensor, first: Tensor | None = None
) -> Tensor:
    """Encode vectors by one codebook after another.

        code_k = argmin_v |x_(k-1) - c_k[v]|        x_k = x_(k-1) - c_k[code_k]

    Args:
        x: (N, D) x_0.
        codebooks: (K, V, D) c.
        first: (N,) code_1, if it does not follow from x.

    Returns:
        (K, N) codes.
    """
    size = len(codebooks), x.shape[0]
    codes = torch.zeros(size, dtype=torch.long, device=x.device)
    for k, codebook in enumerate(codebooks):
        known = k == 0 and first is not None
        codes[k] = first if known else nearest(x[None], codebook[None])[0]
        x = x - codebook[codes[k]]
    return codes


def sum_codewords(
    codes: Tensor, codebooks: Tensor, num_codebooks: Tensor | None = None
) -> Tensor:
    """Sum the codewords of the codes (B, k, N), k at most K.

    Args:
        codes: (B, k, N).
        codebooks: (K, V, D).
        num_codebooks: (B, 1) so many first codebooks are summed; None: all k.

    Returns:
        (B, N, D).
    """
    k = torch.arange(codes.shape[1], device=codes.device)
    rows = codes + k[:, None] * codebooks.shape[1]
    words = F.embedding(rows, codebooks.flatten(0, 1))
    if num_codebooks is not None:
        words = words * (k < num_codebooks)[..., None, None]
    return words.sum(1)
