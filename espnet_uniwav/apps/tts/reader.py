"""Text to speech in samples: a synthesiser, its tokens, and prompts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from espnet_uniwav.apps.phones.word_ends import unmarked
from espnet_uniwav.apps.text.characters import check_text
from espnet_uniwav.apps.tts.context import Context, check_prompt
from espnet_uniwav.apps.tts.sentences import join, join_one_by_one, split_sentences
from espnet_uniwav.apps.tts.synthesizer import FrameSynthesizer, Utterance
from espnet_uniwav.core.flow.sampling import SPEAKING, Sampling
from espnet_uniwav.io.bounds import check_number

# Nats per frame. Measured: at most 1.4 for the text of a prompt, at least 2.4 for
# other texts and for half of its text.
LARGEST_MISMATCH = 2.0


@dataclass(frozen=True)
class Manner:
    """Settings of the synthesis of a text.

    Attributes:
        sampling: Settings of the solver; None: those of the model.
        seed: Of the noise: same seed, same speech.
        speed: Divides predicted durations.
        seconds: Total length of the speech, which replaces ``speed``.

    Raises:
        ValueError: If a number is out of bounds.
    """

    sampling: Sampling | None = None
    seed: int = 0
    speed: float = 1.0
    seconds: float | None = None

    def __post_init__(self):
        for name in ("seed", "speed", "seconds"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name))


class Reader:
    """A trained synthesiser with the tokens that it was trained with.

    Args:
        synthesizer: In eval mode.
        token_list: Names of its tokens.
        tokenize: Text -> names of tokens.
        normalize: Text as written -> as read, before it is split into sentences.
        sampling: Settings of the solver, unless others are asked for.
        voice: Recording to read in without a prompt, and what is said in it.
        speed: Divides all predicted durations.
    """

    def __init__(
        self,
        synthesizer: FrameSynthesizer,
        token_list: Sequence[str],
        tokenize: Callable[[str], list[str]],
        normalize: Callable[[str], str] = str,
        sampling: Sampling = SPEAKING,
        voice: tuple[str | Path | None, str] = (None, ""),
        speed: float = 1.0,
    ):
        self.synthesizer = synthesizer
        self.features = synthesizer.uniwav.features
        self.tokenize = tokenize
        self.normalize = normalize
        self.sampling = sampling
        self.voice = voice
        self.speed = speed
        self.index = {token: number for number, token in enumerate(token_list)}

    @property
    def device(self) -> torch.device:
        """Device of the synthesiser."""
        return next(self.synthesizer.parameters()).device

    def tokens(self, names: Sequence[str]) -> Tensor:
        """Indices (L,) of tokens.

        The end of a word is the phone alone for a model that knows no ends.

        Raises:
            ValueError: Naming the tokens that the list lacks.
        """
        names = [name if name in self.index else unmarked(name) for name in names]
        unknown = sorted({name for name in names if name not in self.index})
        if unknown:
            raise ValueError(
                f"{unknown} are not among the tokens of the model; it knows "
                f"{sorted(self.index)}"
            )
        numbers = [self.index[name] for name in names]
        return torch.tensor(numbers, dtype=torch.long, device=self.device)

    def prompt(self, speech: np.ndarray, text: str | None = None) -> Context:
        """A recording as the voice to continue.

        Args:
            speech: (S,) samples at the model's rate, as of ``AbsFeatures.extract``.
            text: What is said in it; None or empty if unknown.

        A text that fits badly is used, with a warning.

        Raises:
            ValueError: If it is too short, too long or silent, or has fewer frames than
                the text has tokens.
        """
        x = self.features.extract_one(speech).to(self.device)
        check_prompt(x, self.features.spec)
        if not text:
            return Context(x)
        tokens = self.tokens(self.tokenize(text))
        what = f"the prompt does not seem to say {text!r}"
        return self.align(Context(x, tokens), what, ", or none at all")

    def align(self, context: Context, misfit: str, fix: str = "") -> Context:
        """Align a recording with its tokens; a bad fit is reported.

        Args:
            context: With tokens; and with durations, if they are known.
            misfit: What is wrong if they fit badly.
            fix: What may be done, besides giving the right words.

        Raises:
            ValueError: If a token was never trained, or the tokens do not fit.
        """
        context = self.synthesizer.align(context)
        if context.mismatch > LARGEST_MISMATCH:
            logging.warning(
                "%s: %.1f nats per frame, where a text that fits has less than %.1f. "
                "Give all of its words and no others%s.",
                misfit,
                context.mismatch,
                LARGEST_MISMATCH,
                fix,
            )
        return context

    def read(
        self, text: str, prompt: Context | None = None, manner: Manner = Manner()
    ) -> np.ndarray:
        """Read a text; arguments and errors as of ``stream``.

        Returns:
            (S,) samples, without the prompt.
        """
        pieces, _ = self._pieces(text, prompt, manner)
        return join(list(pieces), self.features.spec.sample_rate)

    def stream(
        self, text: str, prompt: Context | None = None, manner: Manner = Manner()
    ) -> Iterator[np.ndarray]:
        """Read a text sentence by sentence, with the same prompt.

        The whole text is checked before this function returns; a sentence is generated
        when its chunk is asked for.

        Returns:
            Chunks of samples, one for every sentence. All but the first begin with a
            pause; ends are faded. Joined, they are what ``read`` returns.

        Raises:
            ValueError: If there is no word to read, or naming what cannot be read.
        """
        pieces, count = self._pieces(text, prompt, manner)
        return join_one_by_one(pieces, count, self.features.spec.sample_rate)

    def _pieces(
        self, text: str, prompt: Context | None, manner: Manner
    ) -> tuple[Iterator[np.ndarray], int]:
        """Samples of the sentences, computed when asked for; and their number."""
        check_text(text)
        sentences = split_sentences(self.normalize(text))
        names = [self.tokenize(sentence) for sentence in sentences]
        if not names:
            raise ValueError("the text is empty or holds no word: nothing to read")
        self.tokens([name for own in names for name in own])
        frames = [None] * len(names)
        if manner.seconds is not None:
            frames = _share(manner.seconds * self.features.spec.frame_rate, names)
        pieces = (
            self.wave(self.speak(own, prompt, manner, num_frames=count))
            for own, count in zip(names, frames)
        )
        return pieces, len(names)

    def speak(
        self,
        names: Sequence[str],
        prompt: Context | None = None,
        manner: Manner = Manner(),
        **more,
    ) -> Utterance:
        """Speak tokens; ``more``: further arguments of ``FrameSynthesizer.speak``."""
        return self.synthesizer.speak(
            self.tokens(names),
            prompt,
            speed=manner.speed,
            pace=self.speed,
            sampling=manner.sampling or self.sampling,
            generator=torch.Generator(self.device).manual_seed(manner.seed),
            **more,
        )

    def wave(self, utterance: Utterance) -> np.ndarray:
        """The samples (S,) of generated features."""
        return self.features.invert_one(utterance.x).numpy()


def _share(frames: float, names: list[list[str]]) -> list[int]:
    """Frames of every sentence, by its number of tokens."""
    total = sum(map(len, names))
    return [max(round(frames * len(own) / total), len(own)) for own in names]
