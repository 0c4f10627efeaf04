"""Speech tokenizer: a pre-trained UniWav whose decoder reads codes."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from espnet_uniwav.apps.tokenizer.cluster_quantizer import ClusterQuantizer
from espnet_uniwav.apps.tokenizer.config import TokenizerConfig
from espnet_uniwav.apps.tokenizer.learned_quantizer import LearnedQuantizer
from espnet_uniwav.apps.tokenizer.residual import Quantized
from espnet_uniwav.apps.tts.context import check_prompt
from espnet_uniwav.core.checkpoint import read_checkpoint
from espnet_uniwav.core.features import AbsFeatures, FeatureSpec
from espnet_uniwav.core.features.neural_codec import checksum
from espnet_uniwav.core.flow.gaps import draw_gap, open_gap
from espnet_uniwav.core.flow.matching import flow_matching_loss
from espnet_uniwav.core.flow.sampling import SPEAKING
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.core.nn.given import SAMPLES, WHOLE, as_lengths, as_tensor
from espnet_uniwav.core.nn.masks import drop_if_unpadded, lengths_to_padding_mask
from espnet_uniwav.core.renames import rename_settings
from espnet_uniwav.core.ssl.codebook import count_codes, perplexity

PADDING = -1
# In training: smallest share of an utterance that is generated, the rest being the
# prompt; share of utterances without a prompt; share without any condition.
MIN_SHARE, WITHOUT_PROMPT, WITHOUT_CONDITION = 0.5, 0.5, 0.1
PACKAGED = "tokens"
# Packaged pre-trained model -> tokenizer that was learned from it.
LEARNED_FROM = {"small": PACKAGED}


class UniWavTokenizer(nn.Module):
    """Encodes speech to codes and decodes them; trains a decoder that reads codes.

    Args:
        uniwav: Model with a decoder; pre-trained or not.
        **conf: Arguments of ``TokenizerConfig``: what the codes are.
    """

    kind = "tokenizer"

    def __init__(self, uniwav: UniWav, **conf):
        super().__init__()
        config = TokenizerConfig(**conf)
        config.check_model(uniwav)
        self.uniwav = uniwav
        self.layer = config.layer
        quantizer = LearnedQuantizer if config.is_learned else ClusterQuantizer
        sizes = uniwav.encoder.embed_dim, uniwav.features.spec.dim
        self.quantizer = quantizer(*sizes, config)
        for part in self.quantizer.frozen_parts(uniwav):
            part.requires_grad_(False)

    @classmethod
    def from_config(cls, config: dict) -> UniWavTokenizer:
        """Build an untrained one.

        Args:
            config: As for ``UniWav.from_config``, and ``tokenizer``: the arguments
                above.
        """
        conf = rename_settings(config)["tokenizer"]
        return cls(UniWav.from_config(config), **conf)

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path = PACKAGED,
        expected_spec: FeatureSpec | None = None,
        revision: str | None = None,
    ) -> UniWavTokenizer:
        """Load a checkpoint; see ``load_checkpoint``, and ``load`` for a revision.

        The name of a packaged pre-trained model stands for its tokenizer.
        """
        if not Path(folder).is_dir():
            folder = LEARNED_FROM.get(str(folder), folder)
        found = read_checkpoint(folder, revision=revision)
        return found.load(cls, expected_spec)

    @property
    def features(self) -> AbsFeatures:
        """The feature space."""
        return self.uniwav.features

    @property
    def frame_rate(self) -> float:
        """Codes of each codebook per second (Hz)."""
        return self.features.spec.frame_rate / self.quantizer.frames_per_code

    @property
    def speaker_code_length(self) -> int:
        """Digits of the speaker code, of two bits each, once per utterance."""
        return self.quantizer.speaker_code_length

    @property
    def sample_rate(self) -> int:
        """Samples per second (Hz)."""
        return self.features.spec.sample_rate

    @property
    def num_codebooks(self) -> int:
        """Codes K of a frame."""
        return self.quantizer.num_codebooks

    def limit_codebooks(self, num_codebooks: int | None) -> UniWavTokenizer:
        """Lower the bit rate of learned codes: use the first codebooks only.

        Args:
            num_codebooks: 1 to those it was made with; None: no change.

        Returns:
            This tokenizer.

        Raises:
            ValueError: If the codes are clusters, or the number is out of bounds.
        """
        if num_codebooks is not None:
            self.quantizer.limit_codebooks(num_codebooks)
        return self

    @property
    def codebook_size(self) -> int:
        """Codewords V of each codebook."""
        return self.quantizer.codebook_size

    @property
    def bitrate(self) -> float:
        """Bits per second, without those of the speaker code."""
        return self.frame_rate * self.num_codebooks * math.log2(self.codebook_size)

    def origin(self) -> dict:
        """Identifies the codes of this tokenizer; independent of the decoder."""
        uniwav = self.uniwav
        parts = (uniwav.encoder, uniwav.weighted_sum, self.quantizer, self.features)
        return {"codes": self.extra_repr(), "weights": checksum(*parts)}

    def extra_repr(self) -> str:
        """Codebooks, frame rate and bit rate, for the representation."""
        bits = 2 * self.speaker_code_length
        speaker = f" and a speaker code of {bits} bits" if bits else ""
        return (
            f"layer {self.layer}, {self.num_codebooks} codebooks of "
            f"{self.codebook_size} at {self.frame_rate:g} Hz: {self.bitrate:g} bit/s"
            f"{speaker}"
        )

    def train(self, mode: bool = True) -> UniWavTokenizer:
        """Set the mode; frozen parts stay in evaluation mode."""
        super().train(mode)
        for part in self.quantizer.frozen_parts(self.uniwav):
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
        gap = draw_gap(lengths, length, MIN_SHARE)
        unprompted = torch.rand(len(x), 1, device=x.device) < WITHOUT_PROMPT
        gap = (gap | unprompted) & ~padding
        found = self.quantize(x, padding_mask)
        losses = {
            "loss_flow": flow_matching_loss(
                self.uniwav.decoder,
                x,
                found.condition,
                padding_mask,
                gap,
                WITHOUT_CONDITION,
                self.uniwav.kept_frames,
            )
        }
        if found.draft is not None:
            error = (found.draft - x).square().mean(-1)
            error = torch.where(padding, 0.0, error).sum()
            losses["loss_draft"] = error / lengths.sum()
        stats = {name: own.detach() for name, own in losses.items()}
        stats.update(self._usage(found.codes, padding))
        return sum(losses.values()), stats

    def _usage(self, codes: Tensor, padding: Tensor) -> dict[str, Tensor]:
        """``perplexity_k`` of codes (B, K, N)."""
        valid = ~padding[:, :: self.quantizer.frames_per_code].flatten()
        used = codes.transpose(0, 1).flatten(1)
        number = count_codes(used, self.codebook_size, valid)
        return {f"perplexity_{k}": own for k, own in enumerate(perplexity(number))}

    def quantize(self, x: Tensor, padding_mask: Tensor | None = None) -> Quantized:
        """Codes of features, and what the decoder reads.

        Args:
            x: (B, T, F) features.
            padding_mask: (B, T), True = padding.
        """
        return self.quantizer.quantize(self.uniwav, x, padding_mask)

    @torch.no_grad()
    def encode(self, speech: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Encode speech to codes.

        Utterances are encoded one by one: in a batch, rounding could change a code.

        Args:
            speech: (B, S) samples in [-1, 1], or of 16 bits, at ``sample_rate``;
                tensor or array. (S,) is a batch of one.
            lengths: (B,) valid samples; None: all.

        Returns:
            (B, K, N) codes, -1 after the end of an utterance; an utterance has
            ceil(samples / hop) frames, and a code for every ``frames_per_code``.

        Raises:
            TypeError, ValueError: If these are something else, see ``nn.given``; or if
                an utterance has no samples.
        """
        codes = [codes.T for codes, _ in self._encode_all(speech, lengths)]
        codes = pad_sequence(codes, batch_first=True, padding_value=PADDING)
        return codes.transpose(1, 2)

    @torch.no_grad()
    def encode_speaker(self, speech: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Speaker codes, which learned codes may leave the voice to.

        Args:
            speech, lengths: As of ``encode``.

        Returns:
            (B, speaker_code_length) numbers from 0 to 3.

        Raises:
            TypeError, ValueError: As of ``encode``.
        """
        return torch.stack([code for _, code in self._encode_all(speech, lengths)])

    @torch.no_grad()
    def encode_one(self, speech: Tensor) -> tuple[Tensor, Tensor]:
        """Encode one utterance in one pass of the encoder.

        Args:
            speech: (S,) samples in [-1, 1], or of 16 bits, at ``sample_rate``; tensor
                or array.

        Returns:
            (K, N) codes and the speaker code, (speaker_code_length,) numbers from 0 to
            3.

        Raises:
            TypeError, ValueError: As of ``encode``.
        """
        found = self.quantize(self._features(speech)[None])
        return found.codes[0], found.speaker_code[0]

    def _encode_all(self, speech, lengths) -> list[tuple[Tensor, Tensor]]:
        """``encode_one`` of every utterance, without its padding."""
        speech = as_tensor(speech, "speech", "BS", SAMPLES)
        lengths = as_lengths(lengths, speech).tolist()
        if empty := [i for i, n in enumerate(lengths) if n < 1]:
            raise ValueError(f"expected speech, found no samples in utterances {empty}")
        return [self.encode_one(own[:n]) for own, n in zip(speech, lengths)]

    def _features(self, speech, name: str = "speech") -> Tensor:
        speech = as_tensor(speech, name, "S", SAMPLES)
        if not len(speech):
            raise ValueError(f"{name}: expected samples, found none")
        return self.features.extract_one(speech).to(self.features.device)

    @torch.no_grad()
    def decode(
        self,
        codes: Tensor,
        lengths: Tensor | None = None,
        prompt: Tensor | None = None,
        seed: int = 0,
        speaker_codes: Tensor | None = None,
        **sampling,
    ) -> Tensor:
        """Decode codes to speech.

        Args:
            codes: (B, K, N), tensor or array; of learned codes the first codebooks are
                enough. (K, N) is a batch of one.
            lengths: (B,) valid codes; None: up to the first -1.
            prompt: (S,) samples of the target voice, as of ``encode_one``.
            seed: Seed of the noise, the same for every utterance.
            speaker_codes: (B, speaker_code_length) of ``encode_speaker``; None: that
                of the prompt, or without one nobody's in particular.
            **sampling: Settings of ``Sampling``, such as ``num_steps``.

        Returns:
            (B, T * hop) samples, zero after the end of an utterance.

        Raises:
            TypeError, ValueError: If these are something else, see ``nn.given``, or not
                of this tokenizer.
        """
        codes = as_tensor(codes, "codes", "BKN", WHOLE, self.features.device)
        if lengths is None:
            lengths = (codes[:, :1] != PADDING).sum((1, 2))
        lengths = as_lengths(lengths, codes)
        parts = [own[:, :n] for own, n in zip(codes, lengths.tolist())]
        for own in parts:
            self._check_codes(own)
        speakers = self._speakers(speaker_codes, prompt, len(parts))
        conditions = map(self._dequantize, parts, speakers)
        return pad_sequence(
            [self.synthesise(own, prompt, seed, **sampling) for own in conditions],
            batch_first=True,
        )

    def _dequantize(self, codes: Tensor, speaker_code: Tensor | None) -> Tensor:
        return self.quantizer.dequantize(self.uniwav, codes, speaker_code)

    def _check_codes(self, codes: Tensor) -> None:
        """Raise ValueError unless these are codes (k, N) that can be decoded."""
        numbers, size = self.quantizer.decodable, self.codebook_size
        if numbers[-1] == 0:
            raise ValueError("this tokenizer has no codebooks, so nothing to decode")
        good = len(codes) in numbers and codes.numel()
        if not good or codes.min() < 0 or codes.max() >= size:
            several = f"1 to {numbers[-1]}" if len(numbers) > 1 else numbers[-1]
            raise ValueError(
                f"expected codes ({several}, T) from 0 to {size - 1}, "
                f"found {tuple(codes.shape)}"
                + (f" from {codes.min()} to {codes.max()}" if codes.numel() else "")
                + ": were they made by this tokenizer?"
            )

    def _speakers(self, codes: Tensor | None, prompt: Tensor | None, number: int):
        """A speaker code (speaker_code_length,) of every utterance, or None."""
        if codes is None and prompt is None:
            return [None] * number
        if codes is None:
            found = self.quantize(self._features(prompt, "prompt")[None])
            return [found.speaker_code[0]] * number
        codes = as_tensor(codes, "speaker_codes", "BD", WHOLE, self.features.device)
        size = number, self.speaker_code_length
        good = codes.shape == size
        if not good or (codes.numel() and (codes.min() < 0 or codes.max() > 3)):
            raise ValueError(
                f"expected speaker_codes {size} of numbers from 0 to 3, found "
                f"{tuple(codes.shape)}: were they made by this tokenizer?"
            )
        return codes

    @torch.no_grad()
    def resynthesise(
        self, speech: Tensor, prompt: Tensor | None = None, seed: int = 0, **sampling
    ) -> Tensor:
        """Encode and decode a recording: (S,) to (T * hop,) samples.

        Without codebooks, the speech is decoded from z. Arguments and errors as of
        ``encode_one`` and ``decode``.
        """
        x = self._features(speech)
        found = self.quantize(x[None])
        condition = found.condition[0]
        if self.num_codebooks:
            own = found.speaker_code if prompt is None else None
            (speaker,) = self._speakers(own, prompt, 1)
            condition = self._dequantize(found.codes[0], speaker)[: len(x)]
        return self.synthesise(condition, prompt, seed, **sampling)

    @torch.no_grad()
    def synthesise(
        self,
        condition: Tensor,
        prompt: Tensor | None = None,
        seed: int = 0,
        **sampling,
    ) -> Tensor:
        """Decode a condition (T, D) to (T * hop,) samples; see ``decode``."""
        features = self.features
        before = condition.new_zeros(0, features.spec.dim)
        num_frames = len(condition)
        if prompt is not None:
            before = self._features(prompt, "prompt")
            check_prompt(before, features.spec)
            condition = torch.cat((self.quantize(before[None]).condition[0], condition))
        x, mask = open_gap(before, num_frames)
        x = self.uniwav.generate(
            x,
            mask,
            condition[None],
            sampling=replace(SPEAKING, **sampling),
            generator=torch.Generator(x.device).manual_seed(seed),
        )
        return features.invert_one(x[mask])
