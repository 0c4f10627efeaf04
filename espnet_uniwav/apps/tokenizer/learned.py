"""Codes of groups of frames, learned together with the decoder."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from espnet_uniwav.apps.tokenizer.coding import Coding
from espnet_uniwav.apps.tokenizer.digits import (
    DEEPEST,
    DEVIATION,
    Digits,
    Spread,
    straight_through,
)
from espnet_uniwav.apps.tokenizer.reading import Reading
from espnet_uniwav.apps.tokenizer.semantic import SemanticCodebook, join_frames
from espnet_uniwav.core.flow.precondition import Precondition
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.core.nn.precision import full_precision
from espnet_uniwav.core.ssl.codebook import nearest

HIDDEN_VOICES = 0.1


class LearnedQuantizer(nn.Module):
    """K codes of every N frames, and digits of the voice once per utterance.

    The features of N frames, without their mean over the utterance, are the sum of one
    codeword from each codebook, chosen one after another: each is the nearest to what
    the ones before it leave. The mean, which holds much of the voice, is written as
    digits, the most telling ones first (``Digits``). Codes and digits give a draft of
    the features, which the decoder corrects, and by a linear map its condition.

    Codebooks begin as k-means of a corpus (``fit.fit_groups``), and are trained with
    the decoder. Training leaves out the last codebooks at random, so that the first
    ones are codes of their own, at a lower bit rate: ``use``.

    The encoder is not asked, unless the first code is to be semantic: then it is the
    cluster of a state (``SemanticCodebook``), and its codeword what the features of the
    cluster have in common.

    Args:
        width: Width D of the condition.
        feature_dim: Width F of the features.
        coding: What the codes are: K codebooks of V codewords.
    """

    def __init__(self, width: int, feature_dim: int, coding: Coding):
        super().__init__()
        most = DEEPEST * feature_dim
        if coding.voice_digits > most:
            raise ValueError(
                f"expected voice_digits of at most {most}, found {coding.voice_digits}"
            )
        self.total = self.num_codebooks = coding.num_codebooks
        self.codebook_size = coding.codebook_size
        self.frames_per_code = coding.frames_per_code
        self.voice_digits = voice_digits = coding.voice_digits
        group = self.frames_per_code * feature_dim
        size = self.total, self.codebook_size, group
        self.codebooks = nn.Parameter(torch.zeros(*size))
        self.digits, self.spread = Digits(voice_digits), Spread(voice_digits)
        self.write_voice = nn.Linear(feature_dim, voice_digits, bias=False)
        self.read_voice = nn.Linear(voice_digits, group, bias=False)
        embedded = self.frames_per_code * width
        self.embed = nn.Linear(group, embedded)
        self.semantic = None
        if coding.semantic is not None:
            self.semantic = SemanticCodebook(width, coding)
            self.meaning = nn.Embedding(self.codebook_size, embedded)
            nn.init.zeros_(self.meaning.weight)

    def frozen(self, uniwav: UniWav) -> tuple[nn.Module, ...]:
        """Parts that are not trained, because they are not used."""
        return uniwav.encoder, uniwav.weighted_sum

    @property
    def decodable(self) -> range:
        """Numbers of codes of a frame that can be decoded."""
        return range(1, self.total + 1)

    def use(self, num_codebooks: int) -> None:
        """Write and count only the first codebooks from now on.

        Args:
            num_codebooks: 1 to K.
        """
        if not 1 <= num_codebooks <= self.total:
            raise ValueError(
                f"expected num_codebooks from 1 to {self.total}, found {num_codebooks}"
            )
        self.num_codebooks = num_codebooks

    def read(
        self, uniwav: UniWav, x: Tensor, padding_mask: Tensor | None = None
    ) -> Reading:
        """Codes of features (B, T, F), and what the decoder reads.

        In training, the condition leaves out what ``leave_out`` says.
        """
        precondition = uniwav.decoder.precondition
        precondition.fit_first_batch(x, padding_mask)
        with full_precision(x.device):
            groups, mean = self.groups(x.float(), padding_mask)
            codes = self._encode(groups, self._first(uniwav, x, padding_mask))
            voice = self._voice(mean, precondition)
            digits = self.digits.write(voice)
            number = torch.full((len(x), 1), self.num_codebooks, device=x.device)
            heard = torch.ones_like(digits, dtype=torch.bool)
            if self.training:
                number, heard = self.leave_out(heard)
            voice = straight_through(voice, self.digits.read(digits, heard))
            condition = self.condition(codes, number, voice, precondition, x.shape[1])
        draft = precondition.unwhiten(condition[..., -x.shape[-1] :])
        return Reading(codes[:, : self.num_codebooks], condition, digits, draft)

    def condition_of(
        self, uniwav: UniWav, codes: Tensor, voice: Tensor | None
    ) -> Tensor:
        """Codes (k, N) and the voice (voice_digits,), None: nobody's, to (T, .)."""
        heard = self.codebooks.new_zeros(1, self.voice_digits)
        if voice is not None:
            heard = self.digits.read(voice[None])
        number = torch.full((1, 1), len(codes), device=codes.device)
        frames = codes.shape[1] * self.frames_per_code
        precondition = uniwav.decoder.precondition
        with full_precision(codes.device):
            return self.condition(codes[None], number, heard, precondition, frames)[0]

    def condition(
        self,
        codes: Tensor,
        number: Tensor,
        voice: Tensor,
        precondition: Precondition,
        frames: int,
    ) -> Tensor:
        """Condition of the decoder.

        Args:
            codes: (B, k, N).
            number: (B, 1) codebooks that are known, of the k.
            voice: (B, voice_digits) components; zeros: of nobody in particular.
            precondition: Of the decoder.
            frames: T.

        Returns:
            (B, T, D + F): the condition and a draft of the whitened features, see
            ``FlowDecoder``.
        """
        words = self._words(codes, number).unflatten(-1, (self.frames_per_code, -1))
        whitened = words @ precondition.axes / precondition.deviations
        draft = whitened.flatten(2) + self.read_voice(voice)[:, None]
        embedded = self.embed(draft)
        if self.semantic is not None:
            embedded = embedded + self.meaning(codes[:, 0])
        parts = (embedded, draft)
        parts = [own.unflatten(-1, (self.frames_per_code, -1)) for own in parts]
        return torch.cat(parts, dim=-1).flatten(1, 2)[:, :frames]

    def leave_out(self, heard: Tensor) -> tuple[Tensor, Tensor]:
        """Hide the last codebooks of every utterance, and some voices.

        The number of codebooks left is drawn evenly from 1 to K. So any number of them
        can be decoded, with a voice or without.

        Args:
            heard: (B, voice_digits).

        Returns:
            (B, 1) codebooks left, and ``heard``, False where hidden.
        """
        draws = torch.rand(2, len(heard), 1, device=heard.device)
        number = (1 + draws[0] * self.total).floor()
        return number, heard & (draws[1] > HIDDEN_VOICES)

    def groups(self, x: Tensor, padding_mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Features (B, T, F) to groups (B, N, N * F) without their mean, and it (B, F).

        Padding counts as the mean.
        """
        frames = x.new_tensor(x.shape[1])
        if padding_mask is not None:
            x = x.masked_fill(padding_mask[..., None], 0.0)
            frames = (~padding_mask).sum(1, keepdim=True)
        mean = x.sum(1) / frames
        x = x - mean[:, None]
        if padding_mask is not None:
            x = x.masked_fill(padding_mask[..., None], 0.0)
        return join_frames(x, self.frames_per_code), mean

    @torch.no_grad()
    def start_voice(self, means: Tensor, precondition: Precondition) -> None:
        """Write means of utterances (B, F) along the axes where they differ most."""
        if not self.voice_digits:
            return
        whitened = self._whiten(means, precondition)
        variances = whitened.square().mean(0).clamp(min=1e-6)
        chosen = self.digits.order(variances * precondition.deviations.square())
        units = variances[chosen].sqrt() / DEVIATION
        for linear in (self.write_voice, self.read_voice):
            linear.weight.zero_()
        self.write_voice.weight[range(len(chosen)), chosen] = 1 / units
        back = torch.zeros_like(self.write_voice.weight)
        back[range(len(chosen)), chosen] = units
        self.read_voice.weight.copy_(back.T.repeat(self.frames_per_code, 1))

    def _voice(self, mean: Tensor, precondition: Precondition) -> Tensor:
        return self.spread(self.write_voice(self._whiten(mean, precondition)))

    @staticmethod
    def _whiten(x: Tensor, precondition: Precondition) -> Tensor:
        return precondition.scale_input(x[:, None], torch.ones_like(x[:, :1]))[:, 0]

    def _first(
        self, uniwav: UniWav, x: Tensor, padding_mask: Tensor | None
    ) -> Tensor | None:
        """The first code (B, N), if it does not follow from the features alone."""
        if self.semantic is None:
            return None
        return self.semantic(uniwav, x, padding_mask)

    @torch.no_grad()
    def _encode(self, groups: Tensor, first: Tensor | None) -> Tensor:
        """Groups (B, N, .) to codes (B, K, N), of which the first may be known."""
        left, codes = groups.flatten(0, 1), []
        for k, codebook in enumerate(self.codebooks):
            if k == 0 and first is not None:
                codes.append(first.flatten())
            else:
                codes.append(nearest(left[None], codebook[None])[0])
            left = left - codebook[codes[-1]]
        return torch.stack(codes, 1).unflatten(0, groups.shape[:2]).transpose(1, 2)

    def _words(self, codes: Tensor, number: Tensor) -> Tensor:
        """Sum of the first codewords: codes (B, k, N), number (B, 1) to (B, N, .)."""
        first = torch.arange(codes.shape[1], device=codes.device)
        rows = codes + first[:, None] * self.codebook_size
        words = F.embedding(rows, self.codebooks.flatten(0, 1))
        return (words * (first < number)[..., None, None]).sum(1)
