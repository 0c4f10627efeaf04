"""Text to speech with a pre-trained UniWav: text and a prompt in, frames out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from espnet_uniwav.apps.tts.context import Context
from espnet_uniwav.apps.tts.durations import check_durations, scale_durations
from espnet_uniwav.apps.tts.network import SynthesizerNetwork
from espnet_uniwav.core.flow.sampling import SPEAKING, Sampling, generate
from espnet_uniwav.io.bounds import check_number


@dataclass(frozen=True)
class Utterance:
    """What ``FrameSynthesizer.speak`` returns.

    Attributes:
        x: (T, F) generated features, without their context.
        durations: (L,) frames of the tokens, summing to T.
    """

    x: Tensor
    durations: Tensor


class FrameSynthesizer(SynthesizerNetwork):
    """Speaks texts in the voice of a prompt.

    The arguments are those of ``SynthesizerNetwork``.
    """

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
        before, behind = self._settle(prompt, tokens), self._settle(after, tokens)
        told = torch.cat((before.tokens, tokens, behind.tokens))
        check_number("speed", speed)
        if durations is None:
            durations = self._predict(told, before, behind, speed * pace, num_frames)
        check_durations(durations, len(tokens))
        gap = before.x.new_zeros(int(durations.sum()), before.x.shape[1])
        x = torch.cat((before.x, gap, behind.x))[None]
        frames = torch.arange(x.shape[1], device=x.device)[None] - len(before.x)
        mask = (frames >= 0) & (frames < len(gap))
        z = self.uniwav.weighted_sum(self.uniwav.hidden_states(x, None, mask))
        z = z + self._condition(told, before, durations, behind)
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
        """Align a context with its tokens by the model, unless it has durations.

        Raises:
            ValueError: If a token was never trained, or the tokens do not fit.
        """
        self._check_tokens(context.tokens)
        states = self.uniwav.hidden_states(context.x[None])
        phones = self.phone_of[context.tokens]
        durations, mismatch = self.aligner.align(states, phones, context.durations)
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
        told: Tensor,
        before: Context,
        behind: Context,
        speed: float,
        num_frames: int | None,
    ) -> Tensor:
        """Durations of the tokens between two contexts, in integer frames."""
        first, last = len(before.tokens), len(told) - len(behind.tokens)
        gap = before.durations.new_zeros(last - first)
        given = torch.cat((before.durations, gap, behind.durations))
        known = torch.ones_like(given, dtype=torch.bool)
        known[first:last] = False
        text = self._spell(told[None])
        predicted = self.duration_predictor.predict(*text, given[None], known[None])
        predicted = predicted[first:last].clamp(min=1.0)
        total = num_frames or max(round(float(predicted.sum()) / speed), 1)
        return scale_durations(predicted, total)

    def _condition(
        self, told: Tensor, before: Context, durations: Tensor, behind: Context
    ) -> Tensor:
        """(1, T, D); frames of a context without text have the "no text" condition."""
        states = self.text_encoder(self.phone_of[told][None])
        frames = torch.cat((before.durations, durations, behind.durations))[None]
        spread = self.text_condition(states, frames, None, int(frames.sum()))
        none = self.text_condition.no_text
        silent = [len(c.x) - int(c.durations.sum()) for c in (before, behind)]
        start, end = (none.expand(1, count, -1) for count in silent)
        return torch.cat((start, spread, end), dim=1)

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
