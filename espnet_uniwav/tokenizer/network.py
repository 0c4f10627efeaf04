"""The network of a tokenizer: what the codes say, and how the decoder learns them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from espnet_uniwav.checkpoint import load_model
from espnet_uniwav.features import AbsFeatures, FeatureSpec
from espnet_uniwav.features.neural_codec import checksum
from espnet_uniwav.flow.gap import draw_gap
from espnet_uniwav.flow.matching import flow_matching_loss
from espnet_uniwav.model import UniWav
from espnet_uniwav.nn.masks import drop_if_unpadded, lengths_to_padding_mask
from espnet_uniwav.nn.precision import full_precision
from espnet_uniwav.ssl.codebook import count_codes, perplexity
from espnet_uniwav.ssl.teacher import instance_norm
from espnet_uniwav.tokenizer.checks import (
    FEATURES,
    LEARNED,
    check_arguments,
    check_sharing,
)
from espnet_uniwav.tokenizer.learned import LearnedQuantizer, Reading
from espnet_uniwav.tokenizer.metric import Metric, Readout
from espnet_uniwav.tokenizer.quantizer import Quantizer


class TokenizerNetwork(nn.Module):
    """Features -> codes, and the loss of a decoder that reads codes.

    By clusters: encoder and weighted sum are frozen. The first codebook clusters frames
    by one state of the encoder (``Metric``), the others by the residual of the features
    predicted from z (``Readout``). The decoder is trained on the embeddings of the
    codes instead of z.

    Learned (``layer: learned``): encoder, codes (``LearnedQuantizer``) and decoder are
    trained together.

    Args:
        uniwav: Model with a decoder; pre-trained or not.
        layer: State that the first codebook clusters, 0 to num_layers; ``features``:
            all codebooks cluster the features themselves, as a control; ``learned``: no
            clusters.
        num_codebooks: K; 0 uses z without quantisation, as a control.
        codebook_size: Codewords V of each.
        normalise: Normalise every channel of the state to zero mean and unit variance
            over the utterance, which removes speaker information.
        num_axes, readout_weight: See ``Metric``.
        min_share: Smallest share of an utterance that is generated in training; the
            rest is the prompt.
        whole_prob: Share of utterances generated completely, without a prompt.
        drop_prob: Share of utterances without any condition, for guidance.
        frames_per_code, voice_digits: See ``LearnedQuantizer``; not with clusters.
    """

    def __init__(
        self,
        uniwav: UniWav,
        layer: int | str,
        num_codebooks: int = 1,
        codebook_size: int = 1024,
        normalise: bool = True,
        num_axes: int = 64,
        readout_weight: float = 1.0,
        min_share: float = 0.5,
        whole_prob: float = 0.5,
        drop_prob: float = 0.1,
        frames_per_code: int = 1,
        voice_digits: int = 0,
    ):
        super().__init__()
        check_arguments(uniwav, layer, num_codebooks, codebook_size)
        check_sharing(layer, frames_per_code, voice_digits)
        self.uniwav = uniwav
        self.layer = layer
        self.normalise = normalise
        self.min_share = min_share
        self.whole_prob = whole_prob
        self.drop_prob = drop_prob
        width, dim = uniwav.encoder.embed_dim, uniwav.features.spec.dim
        if layer == LEARNED:
            self.quantizer = LearnedQuantizer(
                width,
                uniwav.encoder.num_layers + 1,
                num_codebooks,
                codebook_size,
                frames_per_code,
                voice_digits,
            )
            uniwav.weighted_sum.requires_grad_(False)
            return
        self.readout = Readout(width, dim)
        self.metric = Metric(width, dim, num_axes, readout_weight)
        own = dim if layer == FEATURES else self.metric.dim
        self.quantizer = Quantizer(own, dim, width, num_codebooks, codebook_size)
        for part in self._frozen():
            part.requires_grad_(False)

    def _frozen(self) -> tuple[nn.Module, ...]:
        if self.is_learned:
            return (self.uniwav.weighted_sum,)
        return self.uniwav.encoder, self.uniwav.weighted_sum, self.readout

    @property
    def is_learned(self) -> bool:
        """Whether codes, encoder and decoder are trained together."""
        return self.layer == LEARNED

    @classmethod
    def from_config(cls, config: dict) -> TokenizerNetwork:
        """Build an untrained one.

        Args:
            config: As for ``UniWav.from_config``, and ``tokenizer``: the arguments
                above.
        """
        if "tokenizer" not in config:
            raise ValueError("is no tokenizer: make one of it with `uniwav cluster`")
        return cls(UniWav.from_config(config), **config["tokenizer"])

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, expected_spec: FeatureSpec | None = None
    ) -> TokenizerNetwork:
        """Load a checkpoint folder; see ``load_checkpoint``."""
        return load_model(folder, cls.from_config, expected_spec)

    @property
    def features(self) -> AbsFeatures:
        """The feature space."""
        return self.uniwav.features

    @property
    def frame_rate(self) -> float:
        """Codes of each codebook per second (Hz)."""
        return self.features.spec.frame_rate / self.frames_per_code

    @property
    def frames_per_code(self) -> int:
        """Frames of the features that share a code."""
        return self.quantizer.frames_per_code if self.is_learned else 1

    @property
    def voice_digits(self) -> int:
        """Digits of the voice, of two bits each, once per utterance."""
        return self.quantizer.voice_digits if self.is_learned else 0

    @property
    def sample_rate(self) -> int:
        """Samples per second (Hz)."""
        return self.features.spec.sample_rate

    @property
    def num_codebooks(self) -> int:
        """Codes K of a frame."""
        return self.quantizer.num_codebooks

    @property
    def codebook_size(self) -> int:
        """Codewords V of each codebook."""
        return self.quantizer.codebook_size

    @property
    def bitrate(self) -> float:
        """Bits per second, without those of the voice."""
        return self.frame_rate * self.num_codebooks * math.log2(self.codebook_size)

    def origin(self) -> dict:
        """Identifies the codes of this tokenizer; independent of the decoder."""
        parts = [*self._frozen(), self.quantizer, self.features]
        parts.append(self.uniwav.encoder if self.is_learned else self.metric)
        return {"codes": self.extra_repr(), "weights": checksum(*parts)}

    def extra_repr(self) -> str:
        """Codebooks, frame rate and bit rate, for the representation."""
        voice = (
            f" and {2 * self.voice_digits} bits a voice" if self.voice_digits else ""
        )
        return (
            f"layer {self.layer}, {self.num_codebooks} codebooks of "
            f"{self.codebook_size} at {self.frame_rate:g} Hz: {self.bitrate:g} bit/s"
            f"{voice}"
        )

    def train(self, mode: bool = True) -> TokenizerNetwork:
        """Set the mode; frozen parts stay in evaluation mode."""
        super().train(mode)
        for part in self._frozen():
            part.eval()
        return self

    def forward(
        self, x: Tensor, lengths: Tensor, auxiliary: Callable | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one batch.

        Args:
            x: (B, T, F) features.
            lengths: (B,) valid frames.
            auxiliary: (``Reading``, x, padding (B, T)) -> more losses by name.

        Returns:
            loss: Scalar in fp32.
            stats: Detached scalars; ``perplexity_k`` of the codes of the batch.
        """
        length = x.shape[1]
        padding = lengths_to_padding_mask(lengths, length)
        padding_mask = drop_if_unpadded(padding)
        gap = draw_gap(lengths, length, self.min_share)
        whole = torch.rand(len(x), 1, device=x.device) < self.whole_prob
        gap = (gap | whole) & ~padding
        reading = self.read(x, padding_mask)
        losses = {
            "loss_flow": flow_matching_loss(
                self.uniwav.decoder,
                x,
                reading.condition,
                padding_mask,
                gap,
                self.drop_prob,
                self.uniwav.kept_frames,
            )
        }
        if auxiliary is not None:
            losses.update(auxiliary(reading, x, padding))
        stats = {name: own.detach() for name, own in losses.items()}
        stats.update(self._usage(reading.codes, padding))
        return sum(losses.values()), stats

    def _usage(self, codes: Tensor, padding: Tensor) -> dict[str, Tensor]:
        """``perplexity_k`` of codes (B, K, N)."""
        valid = ~padding[:, :: self.frames_per_code].flatten()
        used = codes.transpose(0, 1).flatten(1)
        number = count_codes(used, self.codebook_size, valid)
        return {f"perplexity_{k}": own for k, own in enumerate(perplexity(number))}

    def read(self, x: Tensor, padding_mask: Tensor | None = None) -> Reading:
        """Codes of features, and what the decoder reads.

        Args:
            x: (B, T, F) features.
            padding_mask: (B, T), True = padding.
        """
        if self.is_learned:
            states = self.uniwav.hidden_states(x, padding_mask)
            digits, voice = self.quantizer(states, padding_mask)
            codes = self.quantizer.codes(digits)
            voice = self._hide(voice)
            condition = self.quantizer.condition(digits, voice, x.shape[1])
            return Reading(codes, condition, digits)
        codes, z = self._quantize(x, padding_mask)
        return Reading(codes, self.quantizer(codes) if self.num_codebooks else z)

    def _hide(self, voice: Tensor) -> Tensor:
        """Training leaves out one voice of ten: a decoder may get none."""
        if not self.training:
            return voice
        return voice * (torch.rand(len(voice), 1, device=voice.device) > 0.1)

    @torch.no_grad()
    def frames(self, x: Tensor, padding_mask: Tensor | None = None):
        """Inputs of the quantiser in fp32: state, features predicted from z, and z.

        Args:
            x: (B, T, F) features.
            padding_mask: (B, T), True = padding.

        Returns:
            (B, T, .), (B, T, F) and (B, T, D).
        """
        state, z = self.state(x, padding_mask)
        if self.layer == FEATURES:
            return x, x, z
        with full_precision(x.device):
            rest = self.readout(z)
            return self.metric(state, rest), rest, z

    @torch.no_grad()
    def state(self, x: Tensor, padding_mask: Tensor | None = None):
        """The state that the first codebook clusters, and z, in fp32.

        Args:
            x: (B, T, F) features, which are the state of ``layer: features``.
            padding_mask: (B, T), True = padding.

        Returns:
            (B, T, D) each.
        """
        with full_precision(x.device):
            hidden_states = self.uniwav.hidden_states(x.float(), padding_mask)
            z = self.uniwav.weighted_sum(hidden_states)
        if self.layer == FEATURES:
            return x, z
        state = hidden_states[self.layer]
        if self.normalise:
            state = instance_norm(state[None], padding_mask)[0]
        return state, z

    def _quantize(self, x: Tensor, padding_mask: Tensor | None):
        """Codes (B, K, T), arbitrary at padding, and z (B, T, D)."""
        state, rest, z = self.frames(x, padding_mask)
        return self._codes(state, rest), z

    def _codes(self, state: Tensor, rest: Tensor) -> Tensor:
        """Codes (B, K, T) of the inputs of the quantiser."""
        codes = self.quantizer.encode(state.flatten(0, 1), rest.flatten(0, 1))
        return codes.unflatten(1, state.shape[:2]).transpose(0, 1)

    def condition(self, x: Tensor) -> Tensor:
        """Condition of the decoder for features: (T, F) to (T, D)."""
        return self.read(x[None]).condition[0]
