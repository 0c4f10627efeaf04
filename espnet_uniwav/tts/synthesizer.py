"""Text to speech with a pre-trained UniWav: text and a prompt in, frames out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from typeguard import typechecked

from espnet_uniwav.flow.gap import draw_gap
from espnet_uniwav.flow.matching import flow_matching_loss
from espnet_uniwav.flow.sampling import SPEAKING, Sampling, generate
from espnet_uniwav.model import UniWav
from espnet_uniwav.nn.masks import drop_if_unpadded, lengths_to_padding_mask
from espnet_uniwav.quantities.bounds import check_number
from espnet_uniwav.tts.aligner import PromptAligner
from espnet_uniwav.tts.cloze import Cloze
from espnet_uniwav.tts.context import Context
from espnet_uniwav.tts.durations import (
    DurationPredictor,
    check_durations,
    scale_durations,
    token_of_frame,
    tokens_outside,
)
from espnet_uniwav.tts.text import TextCondition, TextEncoder


@dataclass(frozen=True)
class Utterance:
    """What ``Synthesizer.speak`` returns.

    Attributes:
        x: (T, F) generated features, without their context.
        durations: (L,) frames of the tokens, summing to T.
    """

    x: Tensor
    durations: Tensor


class Synthesizer(nn.Module):
    """Flow matching given text, the frames around a gap and their durations.

    The condition of the decoder is z plus the text states, spread over the frames by
    the durations (paper, section 4). The encoder does not see the gap. The paper uses
    ground-truth durations; here they can also be predicted.

    Args:
        uniwav: With a decoder; pre-trained or not.
        num_tokens: Size of the token list.
        text_layers: Layers of the text encoder.
        duration_layers: Layers of the duration predictor.
        num_heads: Attention heads of both.
        dropout: Of both.
        min_share: The gap is between this share of an utterance and all of it.
        drop_prob: Share of utterances without any condition, for guidance.
        silent_prob: Share of utterances with text in the gap only, so that a prompt
            needs no text.
        duration_weight: Factor of the loss of the durations.
        alignment_weight: Factor of the loss of the aligner.
    """

    @typechecked
    def __init__(
        self,
        uniwav: UniWav,
        num_tokens: int,
        text_layers: int = 2,
        duration_layers: int = 2,
        num_heads: int = 4,
        dropout: float = 0.1,
        min_share: float = 0.5,
        drop_prob: float = 0.1,
        silent_prob: float = 0.2,
        duration_weight: float = 0.1,
        alignment_weight: float = 0.1,
    ):
        super().__init__()
        width = uniwav.encoder.embed_dim
        self.uniwav = uniwav
        self.text_encoder = TextEncoder(
            num_tokens, width, text_layers, num_heads, dropout
        )
        self.text_condition = TextCondition(width)
        self.duration_predictor = DurationPredictor(
            width, duration_layers, num_heads, dropout
        )
        self.aligner = PromptAligner(uniwav.encoder.num_layers + 1, width, num_tokens)
        self.register_buffer("known_tokens", torch.zeros(num_tokens, dtype=torch.bool))
        self.min_share = min_share
        self.drop_prob = drop_prob
        self.silent_prob = silent_prob
        self.duration_weight = duration_weight
        self.alignment_weight = alignment_weight

    def forward(
        self,
        tokens: Tensor,
        token_lengths: Tensor,
        durations: Tensor,
        x: Tensor,
        lengths: Tensor,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one batch.

        Args:
            tokens: (B, L).
            token_lengths: (B,).
            durations: (B, L) frames of the tokens.
            x: (B, T, F) features.
            lengths: (B,) valid frames.

        Returns:
            loss: Scalar in fp32.
            stats: Detached scalars.
        """
        if self.training:
            told = ~lengths_to_padding_mask(token_lengths, tokens.shape[1])
            self._learn(tokens, told)
        cloze = self.pose(tokens, token_lengths, durations, x, lengths)
        known = tokens_outside(cloze.gap, cloze.durations) & ~cloze.silent
        spoken = tokens.gather(1, token_of_frame(cloze.durations, x.shape[1]))
        losses = {
            "flow": flow_matching_loss(
                self.uniwav.decoder,
                x,
                cloze.z,
                cloze.padding_mask,
                cloze.gap,
                self.drop_prob,
                self.uniwav.kept_frames,
            ),
            "duration": self.duration_predictor.loss(
                cloze.states, cloze.durations, known, cloze.text_padding
            ),
            "alignment": self.aligner.loss(cloze.hidden_states, spoken, cloze.seen),
        }
        loss = losses["flow"] + self.duration_weight * losses["duration"]
        loss = loss + self.alignment_weight * losses["alignment"]
        return loss, {f"loss_{name}": v.detach() for name, v in losses.items()}

    def pose(
        self,
        tokens: Tensor,
        token_lengths: Tensor,
        durations: Tensor,
        x: Tensor,
        lengths: Tensor,
    ) -> Cloze:
        """Draw the gaps of a batch and encode what is known; arguments as of a call."""
        length = x.shape[1]
        valid = ~lengths_to_padding_mask(lengths, length)
        padding_mask = drop_if_unpadded(~valid)
        text_padding = lengths_to_padding_mask(token_lengths, tokens.shape[1])
        durations = durations.masked_fill(text_padding, 0)
        text_padding = drop_if_unpadded(text_padding)
        gap = draw_gap(lengths, length, self.min_share)
        seen = valid & ~gap
        silent = torch.rand(len(x), 1, device=x.device) < self.silent_prob
        states = self.text_encoder(tokens, text_padding)
        hidden_states = self.uniwav.hidden_states(x, padding_mask, gap)
        z = self.uniwav.weighted_sum(hidden_states)
        z = z + self.text_condition(states, durations, seen & silent, length)
        masks = gap, seen, silent, padding_mask, text_padding
        return Cloze(*masks, durations, states, hidden_states, z)

    def _learn(self, tokens: Tensor, told: Tensor) -> None:
        """Note the tokens (B, L) of a batch; ``told``: True = no padding."""
        counts = torch.zeros(len(self.known_tokens), device=tokens.device)
        tokens = tokens.clamp(min=0).flatten()
        counts.scatter_add_(0, tokens, told.flatten().float())
        self.known_tokens |= counts > 0

    @torch.no_grad()
    def speak(
        self,
        tokens: Tensor,
        prompt: Context | None = None,
        after: Context | None = None,
        durations: Tensor | None = None,
        speed: float = 1.0,
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
            num_frames: Total length, which replaces ``speed``.
            sampling: Settings of the solver.
            generator: Source of the noise: same seed, same frames.

        Raises:
            ValueError: If a token was never trained, or text and prompt or durations
                do not fit together.
        """
        self._check_tokens(tokens)
        before, behind = self._settle(prompt, tokens), self._settle(after, tokens)
        told = torch.cat((before.tokens, tokens, behind.tokens))
        states = self.text_encoder(told[None])
        if durations is None:
            durations = self._predict(states, before, behind, speed, num_frames)
        check_durations(durations, len(tokens))
        gap = before.x.new_zeros(int(durations.sum()), before.x.shape[1])
        x = torch.cat((before.x, gap, behind.x))[None]
        frames = torch.arange(x.shape[1], device=x.device)[None] - len(before.x)
        mask = (frames >= 0) & (frames < len(gap))
        z = self.uniwav.weighted_sum(self.uniwav.hidden_states(x, None, mask))
        z = z + self._condition(states, before, durations, behind)
        x = generate(
            self.uniwav.decoder,
            x,
            mask,
            z,
            sampling=sampling,
            kept_frames=self.uniwav.kept_frames,
            generator=generator,
        )
        return Utterance(x[mask], durations)

    @torch.no_grad()
    def align(self, context: Context) -> Context:
        """Align a context with its tokens by the model.

        Raises:
            ValueError: If a token was never trained, or the tokens do not fit.
        """
        self._check_tokens(context.tokens)
        states = self.uniwav.hidden_states(context.x[None])
        durations, mismatch = self.aligner.align(states, context.tokens)
        return Context(context.x, context.tokens, durations, mismatch)

    def _settle(self, context: Context | None, tokens: Tensor) -> Context:
        """Complete a context with tokens and durations, both empty without a text."""
        if context is None:
            dim = self.uniwav.features.spec.dim
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
        states: Tensor,
        before: Context,
        behind: Context,
        speed: float,
        num_frames: int | None,
    ) -> Tensor:
        """Durations of the tokens between two contexts, in integer frames."""
        check_number("speed", speed)
        first, last = len(before.tokens), states.shape[1] - len(behind.tokens)
        gap = before.durations.new_zeros(last - first)
        given = torch.cat((before.durations, gap, behind.durations))
        known = torch.ones_like(given, dtype=torch.bool)
        known[first:last] = False
        predicted = self.duration_predictor.predict(states, given[None], known[None])
        predicted = predicted[first:last].clamp(min=1.0)
        total = num_frames or max(round(float(predicted.sum()) / speed), 1)
        return scale_durations(predicted, total)

    def _condition(
        self, states: Tensor, before: Context, durations: Tensor, behind: Context
    ) -> Tensor:
        """(1, T, D); frames of a context without text have the "no text" condition."""
        frames = torch.cat((before.durations, durations, behind.durations))[None]
        told = self.text_condition(states, frames, None, int(frames.sum()))
        none = self.text_condition.no_text
        silent = [len(c.x) - int(c.durations.sum()) for c in (before, behind)]
        start, end = (none.expand(1, count, -1) for count in silent)
        return torch.cat((start, told, end), dim=1)

    def _check_tokens(self, tokens: Tensor) -> None:
        if len(tokens) == 0:
            raise ValueError("the text is empty: give at least one token")
        unknown = sorted(set(tokens[~self.known_tokens[tokens]].tolist()))
        if unknown:
            lines = ", ".join(str(token + 1) for token in unknown)
            raise ValueError(
                f"the text holds symbols that no training text held (lines {lines} of "
                "the token list): spell them with other symbols"
            )
