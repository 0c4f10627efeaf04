"""Text to speech: texts and prompts in, samples out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import fields as fields_of
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from espnet_uniwav.apps.phones.from_text import Phonemizer
from espnet_uniwav.apps.phones.lexicon_file import read_lexicon
from espnet_uniwav.apps.phones.word_ends import unmarked
from espnet_uniwav.apps.text.characters import check_text
from espnet_uniwav.apps.tts.context import Context, check_prompt
from espnet_uniwav.apps.tts.lines import items, read_durations
from espnet_uniwav.apps.tts.network import SynthesizerNetwork, Utterance
from espnet_uniwav.apps.tts.sentences import join, split_sentences
from espnet_uniwav.apps.tts.times import SpokenSentence, segments
from espnet_uniwav.apps.vocoder import use_vocoder
from espnet_uniwav.cli.command import load as load_name
from espnet_uniwav.core.checkpoint import Checkpoint, read_checkpoint
from espnet_uniwav.core.features import AbsFeatures
from espnet_uniwav.core.flow.sampling import SPEAKING, Sampling
from espnet_uniwav.core.kinds import TEXT_TOKENIZER
from espnet_uniwav.core.nn.given import SAMPLES, as_tensor
from espnet_uniwav.io.audio import read_speech
from espnet_uniwav.io.bounds import check_number
from espnet_uniwav.io.input import error_context

# Nats per frame. Measured: at most 1.4 for the text of a prompt, at least 2.4 for
# other texts and for half of its text.
LARGEST_MISMATCH = 2.0


@dataclass(frozen=True)
class SpeakingOptions:
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


class Synthesizer:
    """Text to speech with a trained synthesiser.

        synthesizer = Synthesizer.from_pretrained("voices")
        speech = synthesizer("Hello.", prompt="me.wav", prompt_text="What I say there.")
        write_speech("out.wav", speech, synthesizer.sample_rate)

    Args:
        network: In eval mode.
        tokenize: Text as read -> names of tokens.
        normalize: Text as written -> as read.
        sampling: Settings of the solver, unless others are asked for.
        speed: Divides all predicted durations.
        voice: Recording to read in without a prompt; None: any voice.
        voice_text: What is said in it.
    """

    def __init__(
        self,
        network: SynthesizerNetwork,
        tokenize: Callable[[str], list[str]],
        normalize: Callable[[str], str] = str,
        sampling: Sampling = SPEAKING,
        speed: float = 1.0,
        voice: str | Path | None = None,
        voice_text: str = "",
    ):
        check_number("speed", speed)
        self.network = network
        self.tokenize = tokenize
        self.normalize = normalize
        self.sampling = sampling
        self.speed = speed
        self.voice, self.voice_text = voice, voice_text
        self.index = {token: number for number, token in enumerate(network.token_list)}
        self._last: tuple = (None, "", None)

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path,
        config: str | Path | None = None,
        device: str = "cpu",
        vocoder: str | Path | None = None,
        lexicon: str | Path | Mapping[str, Sequence[str]] | None = None,
        revision: str | None = None,
    ) -> Synthesizer:
        """Load a synthesiser.

        Args:
            model: Folder or name of a checkpoint; or a model file (.pth) that ESPnet's
                ``tts_train`` saved.
            config: ``config.yaml`` of such a file; None: beside it.
            device: Torch device.
            vocoder: See ``use_vocoder``; None: as the model says.
            lexicon: Pronunciations that come before the built-in ones: a file, see
                ``read_lexicon``, or word in lower case -> phones.
            revision: Of a repository OWNER/NAME on the hub: branch, tag or commit.

        Raises:
            FileNotFoundError, ValueError: As of ``read_lexicon``, ``read_checkpoint``
                and ``Checkpoint.load``.
        """
        if lexicon and isinstance(lexicon, (str, Path)):
            lexicon = read_lexicon(lexicon)
        found = read_checkpoint(model, config, revision)
        network = found.load(SynthesizerNetwork).to(device)
        with error_context(found.path):
            own = {k: v for k, v in found.model["speaking"].items() if v is not None}
            if lexicon and own.get("text"):
                raise ValueError(
                    "a lexicon is for models of our English phones, this one reads "
                    "texts by the tokenizer of its training: give none"
                )
            vocoder = vocoder or (own.get("vocoder") and found.file(own["vocoder"]))
            text_tools = _text_tools(found, own.get("text"), lexicon or {})
            settings = {field.name for field in fields_of(Sampling)} & set(own)
            synthesizer = cls(
                network,
                *text_tools,
                SPEAKING.but(**{name: own[name] for name in settings}),
                own.get("speed", 1.0),
                own.get("voice") and found.file(own["voice"]),
                own.get("voice_text", ""),
            )
        use_vocoder(network.features, vocoder)
        return synthesizer

    @property
    def features(self) -> AbsFeatures:
        """The feature space."""
        return self.network.features

    @property
    def sample_rate(self) -> int:
        """Samples per second (Hz)."""
        return self.features.spec.sample_rate

    @property
    def device(self) -> torch.device:
        """Device of the network."""
        return next(self.network.parameters()).device

    def __call__(
        self,
        text: str = "",
        prompt: str | Path | np.ndarray | None = None,
        prompt_text: str = "",
        phones: str | Sequence[str] = "",
        durations: str | Sequence[int] = "",
        seconds: float | None = None,
        speed: float = 1.0,
        seed: int = 0,
        **sampling,
    ) -> np.ndarray:
        """Speak a text of any length.

        Args:
            text: What to read.
            prompt: Recording of the voice to read in: a file, or (S,) samples in
                [-1, 1], or of 16 bits, at ``sample_rate``; None: the model's own, if it
                has one, else any voice.
            prompt_text: What is said in it; optional, but improves the result.
            phones: Tokens to speak instead of the text's, with blanks between them, or
                a list.
            durations: Frames of the phones, likewise.
            seconds: Length of the speech, which replaces ``speed``.
            speed: Divides predicted durations.
            seed: Of the noise: same seed, same speech.
            **sampling: Settings of ``Sampling``, such as ``num_steps``; by default
                those of the model.

        Returns:
            (S,) samples at ``sample_rate``, without the prompt.

        Raises:
            ValueError, OSError, TypeError: Naming the file or word and what to do.
        """
        names = items(phones)
        if not names:
            options = dict(seconds=seconds, speed=speed, seed=seed, **sampling)
            chunks = self.stream(text, prompt, prompt_text, **options)
            return np.concatenate(list(chunks))
        options = SpeakingOptions(self.sampling.but(**sampling), seed, speed, seconds)
        context, counts = self._context(prompt, prompt_text), None
        if frames := read_durations(durations):
            counts = torch.tensor(frames, device=self.device)
        return self.wave(self.speak(names, context, options, durations=counts))

    def stream(
        self,
        text: str,
        prompt: str | Path | np.ndarray | None = None,
        prompt_text: str = "",
        seconds: float | None = None,
        speed: float = 1.0,
        seed: int = 0,
        **sampling,
    ) -> Iterator[np.ndarray]:
        """Speak a text sentence by sentence; arguments and errors as of a call.

        The text is checked at once; a sentence is computed when its chunk is asked for.

        Returns:
            Chunks of samples, one for every sentence, which joined are what a call
            returns. All but the first begin with a pause; ends are faded.
        """
        options = dict(seconds=seconds, speed=speed, seed=seed, **sampling)
        sentences = self.speak_sentences(text, prompt, prompt_text, **options)
        return (own.speech for own in sentences)

    def speak_sentences(
        self,
        text: str,
        prompt: str | Path | np.ndarray | None = None,
        prompt_text: str = "",
        seconds: float | None = None,
        speed: float = 1.0,
        seed: int = 0,
        **sampling,
    ) -> Iterator[SpokenSentence]:
        """As ``stream``, with the times of words and phones."""
        options = SpeakingOptions(self.sampling.but(**sampling), seed, speed, seconds)
        sentences = self._sentences(text)
        context = self._context(prompt, prompt_text)
        return self._spoken(sentences, context, options)

    def _spoken(
        self,
        sentences: list[tuple[str, list[str]]],
        context: Context | None,
        options: SpeakingOptions,
    ) -> Iterator[SpokenSentence]:
        """The sentences, each computed when it is asked for."""
        frames, rate = [None] * len(sentences), self.features.spec.frame_rate
        if options.seconds is not None:
            names = [own for _, own in sentences]
            frames = _share(options.seconds * rate, names)
        utterances: list[Utterance] = []

        def pieces() -> Iterator[np.ndarray]:
            for (_, names), count in zip(sentences, frames):
                utterances.append(self.speak(names, context, options, num_frames=count))
                yield self.wave(utterances[-1])

        end = 0.0
        chunks = join(pieces(), len(sentences), self.sample_rate)
        for (text, names), chunk in zip(sentences, chunks):
            end += len(chunk) / self.sample_rate
            durations = utterances.pop().durations.tolist()
            start = end - sum(durations) / rate
            yield SpokenSentence(text, segments(names, durations, start, rate), chunk)

    def _sentences(self, text: str) -> list[tuple[str, list[str]]]:
        """Text and tokens of every sentence.

        Raises:
            ValueError: If there is no word to read, or naming what cannot be read.
        """
        check_text(text)
        sentences = split_sentences(self.normalize(text))
        names = [self.tokenize(sentence) for sentence in sentences]
        if not names:
            raise ValueError("the text is empty or holds no word: nothing to read")
        self.tokens([name for own in names for name in own])
        return list(zip(sentences, names))

    def text_tokens(self, text: str) -> list[str]:
        """Names of the tokens of a text as it is written."""
        return self.tokenize(self.normalize(text))

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

    def _context(self, prompt, text: str) -> Context | None:
        """The prompt, which is aligned once if it sounds as that of the last call."""
        if prompt is None or (isinstance(prompt, str) and not prompt):
            prompt, text = self.voice, self.voice_text
            if not prompt:
                return None
        if isinstance(prompt, (str, Path)):
            prompt = read_speech(prompt, self.sample_rate)
        speech = as_tensor(prompt, "prompt", "S", SAMPLES).detach().cpu().numpy().copy()
        last, said, context = self._last
        if said != text or not np.array_equal(last, speech):
            context = self.prompt(speech, text)
            self._last = speech, text, context
        return context

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
        tokens = self.tokens(self.text_tokens(text))
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
        context = self.network.align(context)
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

    def speak(
        self,
        names: Sequence[str],
        prompt: Context | None = None,
        options: SpeakingOptions = SpeakingOptions(),
        **more,
    ) -> Utterance:
        """Speak tokens; ``more``: further arguments of ``SynthesizerNetwork.speak``."""
        return self.network.speak(
            self.tokens(names),
            prompt,
            speed=options.speed,
            pace=self.speed,
            sampling=options.sampling or self.sampling,
            generator=torch.Generator(self.device).manual_seed(options.seed),
            **more,
        )

    def wave(self, utterance: Utterance) -> np.ndarray:
        """The samples (S,) of generated features."""
        return self.features.invert_one(utterance.x).numpy()


def _text_tools(
    found: Checkpoint, text: dict | None, lexicon: Mapping[str, Sequence[str]]
) -> tuple[Callable, Callable]:
    """``tokenize`` and ``normalize`` of a model: ours, or those of its training.

    Args:
        found: The model.
        text: Arguments of ``TEXT_TOKENIZER``; None: the tokens are our phones.
        lexicon: Of ``Phonemizer``.
    """
    if text is None:
        phonemizer = Phonemizer(lexicon)
        return phonemizer.phones, phonemizer.normalize
    files = {k: str(found.file(v)) for k, v in text.items() if isinstance(v, str)}
    return load_name(TEXT_TOKENIZER)(**{**text, **files}), str


def _share(frames: float, sentences: list[list[str]]) -> list[int]:
    """Frames of every sentence, by its number of tokens."""
    total = sum(map(len, sentences))
    return [max(round(frames * len(own) / total), len(own)) for own in sentences]
