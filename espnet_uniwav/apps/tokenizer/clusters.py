"""Codes by clusters of the states of an encoder that stays as it is."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from espnet_uniwav.apps.tokenizer.coding import FEATURES, Coding
from espnet_uniwav.apps.tokenizer.metric import Metric, Readout
from espnet_uniwav.apps.tokenizer.quantizer import Quantizer
from espnet_uniwav.apps.tokenizer.reading import Reading
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.core.nn.precision import full_precision
from espnet_uniwav.core.ssl.teacher import instance_norm


class ClusterQuantizer(Quantizer):
    """A code of every frame from each of K codebooks; see ``Quantizer``.

    The first codebook clusters frames by one state of the encoder (``Metric``), the
    others by the residual of the features predicted from z (``Readout``). Only the
    embeddings of the codes are trained, together with the decoder.

    Args:
        width: Width D of states and condition.
        feature_dim: Width F of the features.
        coding: What the codes are.
    """

    frames_per_code, voice_digits = 1, 0

    def __init__(self, width: int, feature_dim: int, coding: Coding):
        metric = Metric(width, feature_dim, coding.num_axes, coding.readout_weight)
        own = feature_dim if coding.layer == FEATURES else metric.dim
        sizes = coding.num_codebooks, coding.codebook_size
        super().__init__(own, feature_dim, width, *sizes)
        self.metric = metric
        self.readout = Readout(width, feature_dim)
        self.layer = coding.layer
        self.normalise = coding.normalise

    def frozen(self, uniwav: UniWav) -> tuple[nn.Module, ...]:
        """Parts that are not trained."""
        return uniwav.encoder, uniwav.weighted_sum, self.readout

    @property
    def decodable(self) -> range:
        """Numbers of codes of a frame that can be decoded."""
        return range(self.num_codebooks, self.num_codebooks + 1)

    def use(self, num_codebooks: int) -> None:
        """Refuse to use fewer codebooks.

        Raises:
            ValueError: Always.
        """
        raise ValueError(
            f"num_codebooks: expected none, found {num_codebooks}: the "
            f"{self.num_codebooks} codebooks of this tokenizer are of use together only"
        )

    def read(
        self, uniwav: UniWav, x: Tensor, padding_mask: Tensor | None = None
    ) -> Reading:
        """Codes of features (B, T, F), and what the decoder reads."""
        voice = torch.zeros(len(x), 0, dtype=torch.long, device=x.device)
        if self.layer == FEATURES and self.num_codebooks:
            codes = self._encode(x, x)  # needs no encoder
            return Reading(codes, self(codes), voice)
        state, rest, z = self.frames(uniwav, x, padding_mask)
        codes = self._encode(state, rest)
        return Reading(codes, self(codes) if self.num_codebooks else z, voice)

    def condition_of(
        self, uniwav: UniWav, codes: Tensor, voice: Tensor | None
    ) -> Tensor:
        """Codes (K, T), of any voice, to a condition (T, D)."""
        return self(codes[None])[0]

    @torch.no_grad()
    def frames(self, uniwav: UniWav, x: Tensor, padding_mask: Tensor | None = None):
        """What is quantised, in fp32: state, features predicted from z, and z.

        Args:
            uniwav: Whose encoder is asked.
            x: (B, T, F) features.
            padding_mask: (B, T), True = padding.

        Returns:
            (B, T, .), (B, T, F) and (B, T, D).
        """
        state, z = self.state(uniwav, x, padding_mask)
        if self.layer == FEATURES:
            return x, x, z
        with full_precision(x.device):
            rest = self.readout(z)
            return self.metric(state, rest), rest, z

    @torch.no_grad()
    def state(self, uniwav: UniWav, x: Tensor, padding_mask: Tensor | None = None):
        """The state that the first codebook clusters, and z, in fp32.

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
        if self.normalise:
            state = instance_norm(state[None], padding_mask)[0]
        return state, z

    def _encode(self, state: Tensor, rest: Tensor) -> Tensor:
        """Codes (B, K, T) of what is quantised."""
        codes = self.encode(state.flatten(0, 1), rest.flatten(0, 1))
        return codes.unflatten(1, state.shape[:2]).transpose(0, 1)
