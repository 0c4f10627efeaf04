"""Codes of groups of frames, learned together with the decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from espnet_uniwav.apps.tokenizer.config import TokenizerConfig
from espnet_uniwav.apps.tokenizer.residual import (
    Quantized,
    encode_residual,
    sum_codewords,
)
from espnet_uniwav.apps.tokenizer.semantic import SemanticCodebook, group_frames
from espnet_uniwav.apps.tokenizer.speaker import SpeakerQuantizer, straight_through
from espnet_uniwav.core.flow.precondition import Precondition
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.core.nn.precision import full_precision

SPEAKER_DROPOUT = 0.1


class LearnedQuantizer(nn.Module):
    """K codes of every N frames, and a speaker code once per utterance.

    The features of N frames, without their mean over the utterance, are the sum of one
    codeword from each codebook (``encode_residual``). The mean, which holds much of the
    voice, is the speaker code (``SpeakerQuantizer``). Both give a draft of the
    features, which the decoder corrects, and by a linear map its condition.

    Codebooks begin as k-means of a corpus (``fit.fit_groups``), and are trained with
    the decoder. Training leaves out the last codebooks at random, so that the first
    ones are codes of their own, at a lower bit rate: ``limit_codebooks``.

    The encoder is not asked, unless the first code is to be semantic: then it is the
    cluster of a state (``SemanticCodebook``), and its codeword what the features of the
    cluster have in common.

    Args:
        width: Width D of the condition.
        feature_dim: Width F of the features.
        config: What the codes are: K codebooks of V codewords.
    """

    def __init__(self, width: int, feature_dim: int, config: TokenizerConfig):
        super().__init__()
        self.total = self.num_codebooks = config.num_codebooks
        self.codebook_size = config.codebook_size
        self.frames_per_code = config.frames_per_code
        self.speaker_code_length = config.speaker_code_length
        group = self.frames_per_code * feature_dim
        size = self.total, self.codebook_size, group
        self.codebooks = nn.Parameter(torch.zeros(*size))
        self.speaker = SpeakerQuantizer(feature_dim, group, self.speaker_code_length)
        embedded = self.frames_per_code * width
        self.embed = nn.Linear(group, embedded)
        self.semantic = None
        if config.semantic_layer is not None:
            self.semantic = SemanticCodebook(width, config)
            self.semantic_embedding = nn.Embedding(self.codebook_size, embedded)
            nn.init.zeros_(self.semantic_embedding.weight)

    def frozen_parts(self, uniwav: UniWav) -> tuple[nn.Module, ...]:
        """Parts that are not trained, because they are not used."""
        return uniwav.encoder, uniwav.weighted_sum

    @property
    def decodable(self) -> range:
        """Numbers of codes of a frame that can be decoded."""
        return range(1, self.total + 1)

    def limit_codebooks(self, num_codebooks: int) -> None:
        """Write and count only the first codebooks from now on.

        Args:
            num_codebooks: 1 to K.
        """
        if not 1 <= num_codebooks <= self.total:
            raise ValueError(
                f"expected num_codebooks from 1 to {self.total}, found {num_codebooks}"
            )
        self.num_codebooks = num_codebooks

    def quantize(
        self, uniwav: UniWav, x: Tensor, padding_mask: Tensor | None = None
    ) -> Quantized:
        """Codes of features (B, T, F), and what the decoder reads.

        In training, the condition leaves out what ``leave_out`` says.
        """
        precondition = uniwav.decoder.precondition
        precondition.fit_first_batch(x, padding_mask)
        with full_precision(x.device):
            groups, mean = self.groups(x.float(), padding_mask)
            first = None
            if self.semantic is not None:
                first = self.semantic(uniwav, x, padding_mask).flatten()
            codes = encode_residual(groups.flatten(0, 1), self.codebooks, first)
            codes = codes.T.unflatten(0, groups.shape[:2]).transpose(1, 2)
            speaker = self.speaker.project(mean, precondition)
            speaker_code = self.speaker.scalar.encode(speaker)
            number = torch.full((len(x), 1), self.num_codebooks, device=x.device)
            known = torch.ones_like(speaker_code, dtype=torch.bool)
            if self.training:
                number, known = self.leave_out(known)
            decoded = self.speaker.scalar.decode(speaker_code, known)
            speaker = straight_through(speaker, decoded)
            condition = self.condition(codes, number, speaker, precondition, x.shape[1])
        draft = precondition.unwhiten(condition[..., -x.shape[-1] :])
        codes = codes[:, : self.num_codebooks]
        return Quantized(codes, condition, speaker_code, draft)

    def dequantize(
        self, uniwav: UniWav, codes: Tensor, speaker_code: Tensor | None
    ) -> Tensor:
        """Codes (k, N) and a speaker code, None: of nobody, to a condition (T, .)."""
        speaker = self.codebooks.new_zeros(1, self.speaker_code_length)
        if speaker_code is not None:
            speaker = self.speaker.scalar.decode(speaker_code[None])
        number = torch.full((1, 1), len(codes), device=codes.device)
        frames = codes.shape[1] * self.frames_per_code
        precondition = uniwav.decoder.precondition
        with full_precision(codes.device):
            return self.condition(codes[None], number, speaker, precondition, frames)[0]

    def condition(
        self,
        codes: Tensor,
        number: Tensor,
        speaker: Tensor,
        precondition: Precondition,
        frames: int,
    ) -> Tensor:
        """Condition of the decoder.

        Args:
            codes: (B, k, N).
            number: (B, 1) codebooks that are known, of the k.
            speaker: (B, speaker_code_length) components; zeros: of nobody in
                particular.
            precondition: Of the decoder.
            frames: T.

        Returns:
            (B, T, D + F): the condition and a draft of the whitened features, see
            ``FlowDecoder``.
        """
        words = sum_codewords(codes, self.codebooks, number)
        words = words.unflatten(-1, (self.frames_per_code, -1))
        whitened = words @ precondition.axes / precondition.deviations
        draft = whitened.flatten(2) + self.speaker.synthesis(speaker)[:, None]
        embedded = self.embed(draft)
        if self.semantic is not None:
            embedded = embedded + self.semantic_embedding(codes[:, 0])
        parts = (embedded, draft)
        parts = [part.unflatten(-1, (self.frames_per_code, -1)) for part in parts]
        return torch.cat(parts, dim=-1).flatten(1, 2)[:, :frames]

    def leave_out(self, known: Tensor) -> tuple[Tensor, Tensor]:
        """Hide the last codebooks of every utterance, and some speaker codes.

        The number of codebooks left is drawn evenly from 1 to K. So any number of them
        can be decoded, with a speaker code or without.

        Args:
            known: (B, speaker_code_length).

        Returns:
            (B, 1) codebooks left, and ``known``, False where hidden.
        """
        draws = torch.rand(2, len(known), 1, device=known.device)
        number = (1 + draws[0] * self.total).floor()
        return number, known & (draws[1] > SPEAKER_DROPOUT)

    def groups(self, x: Tensor, padding_mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Features (B, T, F) to groups (B, N, N * F) without their mean, and it (B, F).

        Padding counts as the mean.
        """
        frames = x.new_full((), x.shape[1])
        if padding_mask is not None:
            x = x.masked_fill(padding_mask[..., None], 0.0)
            frames = (~padding_mask).sum(1, keepdim=True)
        mean = x.sum(1) / frames
        x = x - mean[:, None]
        if padding_mask is not None:
            x = x.masked_fill(padding_mask[..., None], 0.0)
        return group_frames(x, self.frames_per_code), mean
