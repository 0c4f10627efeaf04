"""Codes by clusters of the states of an encoder that stays as it is."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from espnet_uniwav.apps.tokenizer.config import FEATURES, TokenizerConfig
from espnet_uniwav.apps.tokenizer.residual import (
    Quantized,
    encode_residual,
    sum_codewords,
)
from espnet_uniwav.apps.tokenizer.whitening import Readout, Whitening
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.core.nn.precision import full_precision
from espnet_uniwav.core.ssl.codebook import nearest
from espnet_uniwav.core.ssl.teacher import instance_norm


class ClusterQuantizer(nn.Module):
    """A semantic codebook and residual ones (paper, section on tokenisation).

    The first codebook clusters s: the whitened state of one layer, beside r, the
    features predicted from z (``Readout``). The state is normalised over the utterance,
    which removes much of the speaker. Every further codebook clusters what those before
    it leave of r:

        code_1 = argmin_v |s - semantic_codebook[v]|
        code_k = argmin_v |r_(k-1) - c_k[v]|        r_k = r_(k-1) - c_k[code_k]

    where c are the ``codebooks``, and c_1[v] is the mean of r over the frames of code
    v. The decoder reads the sum of the codes' embeddings. Codebooks are fitted
    (``fit.fit_codebooks``) and then frozen; embeddings are trained.

    Args:
        width: Width D of states and condition.
        feature_dim: Width F of the features.
        config: What the codes are.
    """

    frames_per_code, speaker_code_length = 1, 0

    def __init__(self, width: int, feature_dim: int, config: TokenizerConfig):
        super().__init__()
        self.layer = config.layer
        self.num_codebooks = config.num_codebooks
        self.codebook_size = config.codebook_size
        size = self.num_codebooks, self.codebook_size
        self.whitening = Whitening(width, config.num_axes)
        target_dim = feature_dim
        if self.layer != FEATURES:
            target_dim += self.whitening.dim
        first = torch.zeros(self.codebook_size, target_dim)
        self.register_buffer("semantic_codebook", first)
        self.register_buffer("codebooks", torch.zeros(*size, feature_dim))
        self.register_buffer("readout_scale", torch.ones(()))
        self.embedding = nn.Parameter(torch.zeros(*size, width))
        self.readout = Readout(width, feature_dim)

    def frozen_parts(self, uniwav: UniWav) -> tuple[nn.Module, ...]:
        """Parts that are not trained."""
        return uniwav.encoder, uniwav.weighted_sum, self.readout

    @property
    def decodable(self) -> range:
        """Numbers of codes of a frame that can be decoded."""
        return range(self.num_codebooks, self.num_codebooks + 1)

    def limit_codebooks(self, num_codebooks: int) -> None:
        """Refuse to use fewer codebooks.

        Raises:
            ValueError: Always.
        """
        raise ValueError(
            f"num_codebooks: expected none, found {num_codebooks}: the "
            f"{self.num_codebooks} codebooks of this tokenizer are of use together only"
        )

    def quantize(
        self, uniwav: UniWav, x: Tensor, padding_mask: Tensor | None = None
    ) -> Quantized:
        """Codes of features (B, T, F), and what the decoder reads."""
        speaker_code = torch.zeros(len(x), 0, dtype=torch.long, device=x.device)
        if self.layer == FEATURES and self.num_codebooks:  # needs no encoder
            target = rest = x
        else:
            state, z = self.read_encoder(uniwav, x, padding_mask)
            target, rest = self.targets(x, state, z)
        codes = self.encode(target.flatten(0, 1), rest.flatten(0, 1))
        codes = codes.unflatten(1, x.shape[:2]).transpose(0, 1)
        condition = self.embed(codes) if self.num_codebooks else z
        return Quantized(codes, condition, speaker_code)

    def dequantize(
        self, uniwav: UniWav, codes: Tensor, speaker_code: Tensor | None
    ) -> Tensor:
        """Codes (K, T), of any speaker, to a condition (T, D)."""
        return self.embed(codes[None])[0]

    @torch.no_grad()
    def read_encoder(
        self, uniwav: UniWav, x: Tensor, padding_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """State of the layer and z, in fp32.

        Args:
            uniwav: Whose encoder is asked.
            x: (B, T, F) features, which are the state of ``layer: features``.
            padding_mask: (B, T), True = padding.

        Returns:
            (B, T, D) each.
        """
        with full_precision(x.device):
            hidden_states = uniwav.hidden_states(x.float(), padding_mask)
            z = uniwav.weighted_sum(hidden_states)
        if self.layer == FEATURES:
            return x, z
        state = hidden_states[self.layer]
        return instance_norm(state[None], padding_mask)[0], z

    @torch.no_grad()
    def targets(self, x: Tensor, state: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """What is quantised: s of the first codebook, and r of the others.

        Args:
            x: (..., F) features.
            state, z: (..., D) of ``read_encoder``.
        """
        if self.layer == FEATURES:
            return x, x
        with full_precision(x.device):
            rest = self.readout(z)
            scaled = self.readout_scale * rest
            return torch.cat((self.whitening(state), scaled), dim=-1), rest

    @torch.no_grad()
    def fit_maps(self, x: Tensor, state: Tensor, z: Tensor) -> None:
        """Fit the linear maps to frames (N, .); see ``targets``.

        The scale gives r the variance of all whitened axes together.
        """
        if self.layer == FEATURES:
            return
        self.readout.fit(z, x)
        self.whitening.fit(state)
        variance = self.readout(z).var(0).sum().clamp(min=1e-9)
        self.readout_scale.copy_((self.whitening.dim / variance).sqrt())

    @torch.no_grad()
    def encode(self, target: Tensor, rest: Tensor) -> Tensor:
        """Encode frames s (N, .) and r (N, F) to codes (K, N)."""
        with full_precision(rest.device):
            words = self.semantic_codebook[None]
            first = nearest(target.float()[None], words)[0]
            return encode_residual(rest.float(), self.codebooks, first)

    def embed(self, codes: Tensor) -> Tensor:
        """Embed codes (B, K, T) as a condition (B, T, D)."""
        return sum_codewords(codes, self.embedding)
