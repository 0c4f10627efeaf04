"""The discrete bottleneck: K codes for every frame."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from espnet_uniwav.core.nn.precision import full_precision
from espnet_uniwav.core.ssl.codebook import nearest


class Quantizer(nn.Module):
    """A semantic codebook and residual ones (paper, section on tokenisation).

    The first codebook clusters one state s of the encoder. Every further one clusters
    the residual of r, the features predicted from z, after the codebooks before it:

        code_1 = argmin_v |s - c_v|        r_1 = r - mean_1[code_1]
        code_k = argmin_v |r_(k-1) - mean_k[v]|    r_k = r_(k-1) - mean_k[code_k]

    where mean_1[v] is the mean of r over the frames of code v. The decoder reads the
    sum of the codes' embeddings. Codewords are fitted (``tokenizer.fit``) and then
    frozen; embeddings are trained.

    Args:
        state_dim: Width of s.
        rest_dim: Width of r.
        embed_dim: Width D of the embeddings.
        num_codebooks: K; 0 for no codes at all.
        codebook_size: Codewords V of each.
    """

    def __init__(
        self,
        state_dim: int,
        rest_dim: int,
        embed_dim: int,
        num_codebooks: int,
        codebook_size: int,
    ):
        super().__init__()
        self.num_codebooks = num_codebooks
        self.codebook_size = codebook_size
        size = (num_codebooks, codebook_size)
        self.register_buffer("codewords", torch.zeros(codebook_size, state_dim))
        self.register_buffer("means", torch.zeros(*size, rest_dim))
        self.embedding = nn.Parameter(torch.zeros(*size, embed_dim))

    @torch.no_grad()
    def encode(self, state: Tensor, rest: Tensor) -> Tensor:
        """Encode frames, one codebook after another: each needs those before it.

        Args:
            state: (N, state_dim) s.
            rest: (N, rest_dim) r.

        Returns:
            (K, N) codes.
        """
        codes = []
        with full_precision(state.device):
            rest = rest.float()
            for k in range(self.num_codebooks):
                target = state.float() if k == 0 else rest
                codewords = self.codewords if k == 0 else self.means[k]
                codes.append(nearest(target[None], codewords[None])[0])
                rest = rest - self.means[k][codes[-1]]
        return torch.stack(codes) if codes else state.new_zeros(0, len(state)).long()

    def forward(self, codes: Tensor) -> Tensor:
        """Embed codes (B, K, T) as a condition (B, T, D)."""
        offsets = torch.arange(self.num_codebooks, device=codes.device)
        rows = codes + (offsets * self.codebook_size)[:, None]
        return F.embedding(rows, self.embedding.flatten(0, 1)).sum(1)
