"""The network of a synthesiser: it learns from gaps, and speaks in frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from typeguard import typechecked

from espnet_uniwav.apps.phones.word_ends import is_marked, phone_numbers
from espnet_uniwav.apps.tts.aligner import PromptAligner
from espnet_uniwav.apps.tts.batch import Batch, MaskedBatch
from espnet_uniwav.apps.tts.context import Context
from espnet_uniwav.apps.tts.durations import (
    DurationPredictor,
    check_durations,
    scale_durations,
    token_of_frame,
)
from espnet_uniwav.apps.tts.text import TextCondition, TextEncoder
from espnet_uniwav.core.checkpoint import read_checkpoint
from espnet_uniwav.core.flow.gaps import draw_gap, open_gap
from espnet_uniwav.core.flow.matching import flow_matching_loss
from espnet_uniwav.core.flow.sampling import SPEAKING, Sampling
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.core.nn.masks import drop_if_unpadded, lengths_to_padding_mask
from espnet_uniwav.io.bounds import check_number


@dataclass(frozen=True)
class Utterance:
    """What ``SynthesizerNetwork.speak`` returns.

    Attributes:
        x: (T, F) generated features, without their context.
        durations: (L,) frames of the tokens, summing to T.
    """

    x: Tensor
    durations: Tensor


class SynthesizerNetwork(nn.Module):
    """Flow matching given text, the frames around a gap and their durations.

    The condition of the decoder is z plus the text states, spread over the frames by
    the durations (paper, section 4). The encoder does not see the gap. The paper uses
    ground-truth durations; here they can also be predicted.

    Args:
        uniwav: With a decoder; pre-trained or not.
        token_list: Names of the tokens, which ``tts_train`` fills in. Phones marked as
            ends of words (``phones.word_ends``) share an embedding with the others.
        text_layers: Layers of the text encoder.
        duration_layers: Layers of the duration predictor.
        duration_dim: Its width.
        num_heads: Attention heads of both.
        dropout: Of both.
        min_share: The gap is between this share of an utterance and all of it.
        drop_prob: Share of utterances without any condition, for guidance.
        silent_prob: Share of utterances with text in the gap only, so that a prompt
            needs no text.
        duration_weight: Factor of the loss of the durations.
        alignment_weight: Factor of the loss of the aligner.
        durations_only: Train the duration predictor alone, which hears no speech.
    """

    kind = "synthesiser"

    @typechecked
    def __init__(
        self,
        uniwav: UniWav,
        token_list: Sequence[str],
        text_layers: int = 2,
        duration_layers: int = 4,
        duration_dim: int = 256,
        num_heads: int = 4,
        dropout: float = 0.1,
        min_share: float = 0.5,
        drop_prob: float = 0.1,
        silent_prob: float = 0.2,
        duration_weight: float = 0.1,
        alignment_weight: float = 0.1,
        durations_only: bool | None = False,
    ):
        super().__init__()
        width = uniwav.encoder.embed_dim
        self.uniwav = uniwav
        self.token_list = list(token_list)
        phones = torch.tensor(phone_numbers(token_list))
        ends = torch.tensor([is_marked(token) for token in token_list])
        self.register_buffer("phone_of", phones, persistent=False)
        self.register_buffer("is_end", ends, persistent=False)
        num_phones = int(phones.max()) + 1
        self.text_encoder = TextEncoder(
            num_phones, width, text_layers, num_heads, dropout
        )
        self.text_condition = TextCondition(width)
        self.duration_predictor = DurationPredictor(
            num_phones, duration_dim, duration_layers, num_heads, dropout
        )
        self.aligner = PromptAligner(uniwav.encoder.num_layers + 1, width, num_phones)
        self.register_buffer("known_tokens", torch.zeros(num_phones, dtype=torch.bool))
        self.min_share = min_share
        self.drop_prob = drop_prob
        self.silent_prob = silent_prob
        self.duration_weight = duration_weight
        self.alignment_weight = alignment_weight
        self.durations_only = durations_only
        if durations_only:
            self.requires_grad_(False)
            self.duration_predictor.requires_grad_(True)

    @classmethod
    def from_config(cls, config: dict) -> SynthesizerNetwork:
        """Build an untrained one.

        Args:
            config: As for ``UniWav.from_config``, and ``synthesiser``: the arguments
                above.
        """
        return cls(UniWav.from_config(config), **config["synthesiser"])

    @classmethod
    def from_pretrained(
        cls, model: str | Path, config: str | Path | None = None
    ) -> SynthesizerNetwork:
        """Load a checkpoint or a model file of ESPnet; see ``read_checkpoint``."""
        return read_checkpoint(model, config).load(cls)

    @property
    def features(self):
        """The feature space."""
        return self.uniwav.features

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one batch.

        Returns:
            loss: Scalar in fp32.
            stats: Detached scalars.
        """
        masked, x = self.draw_gaps(batch), batch.x
        if self.training:
            length = batch.tokens.shape[1]
            valid = ~lengths_to_padding_mask(batch.token_lengths, length)
            self._note_tokens(masked.phones, valid)
        duration = self.duration_predictor.loss(
            masked.phones,
            masked.ends,
            masked.durations,
            masked.known,
            masked.text_padding,
        )
        if self.durations_only:
            return duration, {"loss_duration": duration.detach()}
        hidden_states, z = self.encode(masked, x)
        spoken = masked.phones.gather(1, token_of_frame(masked.durations, x.shape[1]))
        losses = {
            "flow": flow_matching_loss(
                self.uniwav.decoder,
                x,
                z,
                masked.padding_mask,
                masked.mask,
                self.drop_prob,
                self.uniwav.kept_frames,
            ),
            "duration": duration,
            "alignment": self.aligner.loss(hidden_states, spoken, masked.visible),
        }
        loss = losses["flow"] + self.duration_weight * losses["duration"]
        loss = loss + self.alignment_weight * losses["alignment"]
        return loss, {f"loss_{name}": v.detach() for name, v in losses.items()}

    def draw_gaps(self, batch: Batch) -> MaskedBatch:
        """Draw a gap in every utterance of a batch."""
        tokens, token_lengths, durations, x, lengths = batch
        length = x.shape[1]
        valid = ~lengths_to_padding_mask(lengths, length)
        padding_mask = drop_if_unpadded(~valid)
        text_padding = lengths_to_padding_mask(token_lengths, tokens.shape[1])
        durations = durations.masked_fill(text_padding, 0)
        text_padding = drop_if_unpadded(text_padding)
        mask = draw_gap(lengths, length, self.min_share)
        untranscribed = torch.rand(len(x), 1, device=x.device) < self.silent_prob
        tokens = tokens.clamp(min=0)
        return MaskedBatch(
            mask,
            valid & ~mask,
            untranscribed,
            padding_mask,
            text_padding,
            self.phone_of[tokens],
            self.is_end[tokens],
            durations,
        )

    def encode(self, masked: MaskedBatch, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Encode what is known of a batch (B, T, F).

        Returns:
            num_layers + 1 states (B, T, D) of the encoder, which does not see the gap,
            and the condition (B, T, D) of the decoder.
        """
        states = self.text_encoder(masked.phones, masked.text_padding)
        hidden_states = self.uniwav.hidden_states(x, masked.padding_mask, masked.mask)
        z = self.uniwav.weighted_sum(hidden_states)
        silent = masked.visible & masked.untranscribed
        z = z + self.text_condition(states, masked.durations, silent, x.shape[1])
        return hidden_states, z

    def _note_tokens(self, phones: Tensor, valid: Tensor) -> None:
        """Note the phones (B, L) of a batch; ``valid``: True = no padding."""
        counts = torch.zeros(len(self.known_tokens), device=phones.device)
        counts.scatter_add_(0, phones.flatten(), valid.flatten().float())
        self.known_tokens |= counts > 0

    @torch.no_grad()
    def speak(
        self,
        tokens: Tensor,
        prompt: Context | None = None,
        after: Context | None = None,
        durations: Tensor | None = None,
        speed: float = 1.0,
        pace: float = 1.0,
        num_frames: int | None = None,
        sampling: Sampling = SPEAKING,
        generator: torch.Generator | None = None,
    ) -> Utterance:
        """Speak a text in the voice of a prompt.

        Args:
            tokens: (L,) of the text alone.
            prompt: What comes before, in the wanted voice; None: any voice.
            after: What follows, if a stretch of a recording is replaced.
            durations: (L,) frames of the tokens; None: predicted.
            speed: Divides predicted durations.
            pace: The model's own speed, which divides them too.
            num_frames: Total length, which replaces ``speed`` and ``pace``.
            sampling: Settings of the solver.
            generator: Source of the noise: same seed, same frames.

        Raises:
            ValueError: If a token was never trained, or text and prompt or durations
                do not fit together.
        """
        self._check_tokens(tokens)
        before, after = self._complete(prompt, tokens), self._complete(after, tokens)
        check_number("speed", speed)
        if durations is None:
            durations = self._predict(before, tokens, after, speed * pace, num_frames)
        check_durations(durations, len(tokens))
        x, mask = open_gap(before.x, int(durations.sum()), after.x)
        z = self.uniwav.weighted_sum(self.uniwav.hidden_states(x, None, mask))
        z = z + self._condition(before, tokens, durations, after)
        x = self.uniwav.generate(x, mask, z, sampling=sampling, generator=generator)
        return Utterance(x[mask], durations)

    @torch.no_grad()
    def align(self, context: Context) -> Context:
        """Align a context with its tokens by the model, unless it has durations.

        Raises:
            ValueError: If a token was never trained, or the tokens do not fit.
        """
        self._check_tokens(context.tokens)
        states = self.uniwav.hidden_states(context.x[None])
        phones = self.phone_of[context.tokens]
        durations, mismatch = self.aligner.align(states, phones, context.durations)
        return Context(context.x, context.tokens, durations, mismatch)

    def _complete(self, context: Context | None, tokens: Tensor) -> Context:
        """A context with tokens and durations, both empty without a text."""
        if context is None:
            dim = self.features.spec.dim
            context = Context(torch.zeros(0, dim, device=tokens.device))
        if context.tokens is None or len(context.tokens) == 0:
            return Context(context.x, tokens[:0], tokens[:0])
        if context.durations is None:
            return self.align(context)
        self._check_tokens(context.tokens)
        check_durations(context.durations, len(context.tokens), len(context.x))
        return context

    def _predict(
        self,
        before: Context,
        tokens: Tensor,
        after: Context,
        speed: float,
        num_frames: int | None,
    ) -> Tensor:
        """Durations of the tokens between two contexts, in integer frames."""
        text = torch.cat((before.tokens, tokens, after.tokens))[None]
        gap = slice(len(before.tokens), len(before.tokens) + len(tokens))
        nothing = before.durations.new_zeros(len(tokens))
        given = torch.cat((before.durations, nothing, after.durations))
        known = torch.ones_like(given, dtype=torch.bool)
        known[gap] = False
        phones, ends = self.phone_of[text], self.is_end[text]
        predicted = self.duration_predictor.predict(
            phones, ends, given[None], known[None]
        )
        predicted = predicted[gap].clamp(min=1.0)
        total = num_frames or max(round(float(predicted.sum()) / speed), 1)
        return scale_durations(predicted, total)

    def _condition(
        self, before: Context, tokens: Tensor, durations: Tensor, after: Context
    ) -> Tensor:
        """(1, T, D); frames of a context without text have the "no text" condition."""
        text = torch.cat((before.tokens, tokens, after.tokens))
        states = self.text_encoder(self.phone_of[text][None])
        frames = torch.cat((before.durations, durations, after.durations))[None]
        known = self.text_condition(states, frames, None, int(frames.sum()))
        no_text = self.text_condition.no_text
        silent = [len(c.x) - int(c.durations.sum()) for c in (before, after)]
        start, end = (no_text.expand(1, count, -1) for count in silent)
        return torch.cat((start, known, end), dim=1)

    def _check_tokens(self, tokens: Tensor) -> None:
        if len(tokens) == 0:
            raise ValueError("the text is empty: give at least one token")
        known = self.known_tokens[self.phone_of[tokens]]
        unknown = sorted(set(tokens[~known].tolist()))
        if unknown:
            lines = ", ".join(str(token + 1) for token in unknown)
            raise ValueError(
                f"the text holds symbols that no training text held (lines {lines} of "
                "the token list): spell them with other symbols"
            )
