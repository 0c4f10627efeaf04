"""The network of a tokenizer: what the codes say, and how the decoder learns them."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from espnet_uniwav.apps.tokenizer.clusters import ClusterQuantizer
from espnet_uniwav.apps.tokenizer.coding import Coding
from espnet_uniwav.apps.tokenizer.learned import LearnedQuantizer
from espnet_uniwav.apps.tokenizer.reading import Reading
from espnet_uniwav.core.checkpoint import read_checkpoint
from espnet_uniwav.core.features import AbsFeatures, FeatureSpec
from espnet_uniwav.core.features.neural_codec import checksum
from espnet_uniwav.core.flow.gap import draw_gap
from espnet_uniwav.core.flow.matching import flow_matching_loss
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.core.nn.masks import drop_if_unpadded, lengths_to_padding_mask
from espnet_uniwav.core.ssl.codebook import count_codes, perplexity

PACKAGED = "tokens"
# Packaged pre-trained model -> tokenizer that was learned from it.
LEARNED_FROM = {"small": PACKAGED}


class TokenizerNetwork(nn.Module):
    """Features -> codes, and the loss of a decoder that reads codes.

    Args:
        uniwav: Model with a decoder; pre-trained or not.
        min_share: Smallest share of an utterance that is generated in training; the
            rest is the prompt.
        whole_prob: Share of utterances generated completely, without a prompt.
        drop_prob: Share of utterances without any condition, for guidance.
        **coding: Arguments of ``Coding``: what the codes are.
    """

    kind = "tokenizer"

    def __init__(
        self,
        uniwav: UniWav,
        min_share: float = 0.5,
        whole_prob: float = 0.5,
        drop_prob: float = 0.1,
        **coding,
    ):
        super().__init__()
        coding = Coding(**coding)
        coding.check_model(uniwav)
        self.uniwav = uniwav
        self.layer = coding.layer
        self.min_share = min_share
        self.whole_prob = whole_prob
        self.drop_prob = drop_prob
        quantizer = LearnedQuantizer if coding.is_learned else ClusterQuantizer
        sizes = uniwav.encoder.embed_dim, uniwav.features.spec.dim
        self.quantizer = quantizer(*sizes, coding)
        for part in self.quantizer.frozen(uniwav):
            part.requires_grad_(False)

    @classmethod
    def from_config(cls, config: dict) -> TokenizerNetwork:
        """Build an untrained one.

        Args:
            config: As for ``UniWav.from_config``, and ``tokenizer``: the arguments
                above.
        """
        return cls(UniWav.from_config(config), **config["tokenizer"])

    @classmethod
    def from_pretrained(
        cls, folder: str | Path = PACKAGED, expected_spec: FeatureSpec | None = None
    ) -> TokenizerNetwork:
        """Load a checkpoint by its folder or name; see ``load_checkpoint``.

        The name of a packaged pre-trained model stands for its tokenizer.
        """
        if not Path(folder).is_dir():
            folder = LEARNED_FROM.get(str(folder), folder)
        return read_checkpoint(folder).load(cls, expected_spec)

    @property
    def features(self) -> AbsFeatures:
        """The feature space."""
        return self.uniwav.features

    @property
    def frame_rate(self) -> float:
        """Codes of each codebook per second (Hz)."""
        return self.features.spec.frame_rate / self.quantizer.frames_per_code

    @property
    def voice_digits(self) -> int:
        """Digits of the voice, of two bits each, once per utterance."""
        return self.quantizer.voice_digits

    @property
    def sample_rate(self) -> int:
        """Samples per second (Hz)."""
        return self.features.spec.sample_rate

    @property
    def num_codebooks(self) -> int:
        """Codes K of a frame."""
        return self.quantizer.num_codebooks

    def use(self, num_codebooks: int | None) -> TokenizerNetwork:
        """Lower the bit rate of learned codes: use the first codebooks only.

        Args:
            num_codebooks: 1 to those it was made with; None: no change.

        Returns:
            This tokenizer.

        Raises:
            ValueError: If the codes are clusters, or the number is out of bounds.
        """
        if num_codebooks is not None:
            self.quantizer.use(num_codebooks)
        return self

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
        uniwav = self.uniwav
        parts = (uniwav.encoder, uniwav.weighted_sum, self.quantizer, self.features)
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
        for part in self.quantizer.frozen(self.uniwav):
            part.eval()
        return self

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one batch.

        Args:
            x: (B, T, F) features.
            lengths: (B,) valid frames.

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
        if reading.draft is not None:
            error = (reading.draft - x).square().mean(-1)
            error = torch.where(padding, 0.0, error).sum()
            losses["loss_draft"] = error / lengths.sum()
        stats = {name: own.detach() for name, own in losses.items()}
        stats.update(self._usage(reading.codes, padding))
        return sum(losses.values()), stats

    def _usage(self, codes: Tensor, padding: Tensor) -> dict[str, Tensor]:
        """``perplexity_k`` of codes (B, K, N)."""
        valid = ~padding[:, :: self.quantizer.frames_per_code].flatten()
        used = codes.transpose(0, 1).flatten(1)
        number = count_codes(used, self.codebook_size, valid)
        return {f"perplexity_{k}": own for k, own in enumerate(perplexity(number))}

    def read(self, x: Tensor, padding_mask: Tensor | None = None) -> Reading:
        """Codes of features, and what the decoder reads.

        Args:
            x: (B, T, F) features.
            padding_mask: (B, T), True = padding.
        """
        return self.quantizer.read(self.uniwav, x, padding_mask)
