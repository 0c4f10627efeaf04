"""The tabs of the page, each as a function that calls what the commands call."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from espnet_uniwav.apps.infill.recording import fill_recording
from espnet_uniwav.apps.tokenizer.tokenizer import UniWavTokenizer
from espnet_uniwav.apps.tts.edit import align_words, replace_stretch
from espnet_uniwav.apps.tts.synthesizer import SpeakingOptions
from espnet_uniwav.core.flow.sampling import SPEAKING, Sampling
from espnet_uniwav.io.audio import SAMPLE_RATE, read_speech, seconds_of
from espnet_uniwav.lab.demo.figures import code_rows, figure, phone_row, spectrograms
from espnet_uniwav.lab.demo.model_loader import Models
from espnet_uniwav.lab.report.line_charts import draw_charts, layer_weights_chart
from espnet_uniwav.lab.report.pictures import to_data_uri

# More than anybody says in a second.
CHARACTERS_PER_SECOND = 25
LOADING, GENERATING = "Loading the model (once)", "Generating"

Progress = Callable[[float, str], object]


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a tab shows.

    Attributes:
        speech: (S,) samples; None: there is nothing to listen to.
        sample_rate: Hz.
        pictures: HTML.
        codes: A line of codes for every codebook.
        note: A sentence about the model.
    """

    speech: np.ndarray | None = None
    sample_rate: int = SAMPLE_RATE
    pictures: str = ""
    codes: str = ""
    note: str = ""

    @property
    def seconds(self) -> float:
        """Length of the speech."""
        return 0.0 if self.speech is None else len(self.speech) / self.sample_rate


def no_progress(share: float, what: str) -> None:
    """Show no progress."""


class Tabs:
    """One method per tab. Recordings are paths, or None if there is none.

    All of them raise ValueError, OSError or ImportError, saying what to do.
    ``progress`` is called with a share and what is being done.

    Args:
        models: The models.
        max_seconds: Longest recording.
    """

    def __init__(self, models: Models, max_seconds: float):
        self.models, self.max_seconds = models, max_seconds

    def speak(
        self,
        text: str,
        prompt: str | None = None,
        prompt_text: str = "",
        speed: float = 1.0,
        num_steps: int | None = None,
        seed: int = 0,
        progress: Progress = no_progress,
    ) -> Answer:
        """Speak a text in the voice of a prompt, or in the model's own.

        ``num_steps`` None: as the model says; in ``edit`` too.
        """
        most = round(CHARACTERS_PER_SECOND * self.max_seconds)
        if len(text) > most:
            raise ValueError(
                f"expected a text of at most {most} characters, found {len(text)}; "
                "shorten it, or start the page with a larger --max_seconds"
            )
        if prompt:
            self._check(prompt)
        progress(0.0, LOADING)
        synthesizer = self.models.synthesizer()
        spoken = []
        settings = dict(speed=speed, num_steps=_whole(num_steps), seed=int(seed or 0))
        voice = prompt, prompt_text
        for sentence in synthesizer.speak_sentences(text, *voice, **settings):
            spoken.append(sentence)
            share = min(len(spoken) / (len(spoken) + 1), 0.95)
            progress(share, f"{GENERATING}; sentences done: {len(spoken)}")
        speech = np.concatenate([own.speech for own in spoken])
        pictures = phone_row(spoken[0].phones)
        pictures += spectrograms({"Generated": (speech, [])}, synthesizer.sample_rate)
        return Answer(speech, synthesizer.sample_rate, pictures)

    def place(self, recording: str | None) -> tuple[float, float, float]:
        """A gap in the middle of a recording: start, end and length in seconds."""
        seconds = self._check(recording)
        width = min(0.2, seconds / 4)
        start = round((seconds - width) / 2, 2)
        return start, round(start + width, 2), round(seconds, 2)

    def mark(self, recording: str | None, start: float, end: float) -> str:
        """Picture of a recording with its gap."""
        self._check(recording)
        speech = read_speech(recording, SAMPLE_RATE)
        gap = [(min(start, end), max(start, end))]
        return spectrograms({"Recording, with the gap": (speech, gap)}, SAMPLE_RATE)

    def fill(
        self,
        recording: str | None,
        start: float,
        end: float,
        num_steps: int = Sampling.num_steps,
        seed: int = 0,
        progress: Progress = no_progress,
    ) -> Answer:
        """Replace a gap of a recording by generated speech."""
        self._check(recording)
        progress(0.0, LOADING)
        model = self.models.generator()
        progress(0.3, GENERATING)
        rate = model.features.spec.sample_rate
        speech = read_speech(recording, rate)
        gap = (min(start, end), max(start, end))
        filled, seconds = fill_recording(
            model,
            torch.from_numpy(speech),
            [gap],
            Sampling(num_steps=int(num_steps)),
            int(seed or 0),
            where=Path(recording).name,
        )
        progress(0.9, "Drawing")
        filled = filled.numpy()
        versions = {"Recording": (speech, [gap]), "Filled": (filled, [gap])}
        note = f"{seconds:.2f} of {len(speech) / rate:.2f} s are generated"
        return Answer(filled, rate, spectrograms(versions, rate), note=note)

    def edit(
        self,
        recording: str | None,
        text: str,
        replace: str,
        by: str,
        speed: float = 1.0,
        num_steps: int | None = None,
        seed: int = 0,
        progress: Progress = no_progress,
    ) -> Answer:
        """Replace words of a recording, in its own voice."""
        self._check(recording)
        steps = _whole(num_steps)
        options = SpeakingOptions(SPEAKING.but(num_steps=steps), int(seed or 0), speed)
        progress(0.0, "Finding the words in the recording")
        phones, stretch = align_words(recording, text, replace, self.models.lexicon)
        progress(0.2, LOADING)
        synthesizer = self.models.synthesizer()
        sampling = synthesizer.sampling.but(num_steps=steps)
        options = dataclasses.replace(options, sampling=sampling)
        progress(0.5, GENERATING)
        rate = synthesizer.sample_rate
        speech = read_speech(recording, rate)
        edited = replace_stretch(synthesizer, speech, phones, stretch, by, options)
        end = stretch[1] + (len(edited) - len(speech)) / rate
        versions = {
            "Recording": (speech, [stretch]),
            "Edited": (edited, [(stretch[0], end)]),
        }
        note = f"{stretch[0]:.2f} to {stretch[1]:.2f} s were replaced"
        return Answer(edited, rate, spectrograms(versions, rate), note=note)

    def tokens(
        self,
        recording: str | None,
        tokenizer: str,
        prompt: str | None = None,
        num_steps: int = SPEAKING.num_steps,
        seed: int = 0,
        progress: Progress = no_progress,
    ) -> Answer:
        """Encode a recording to codes and decode them, perhaps in another voice."""
        self._check(recording)
        if prompt:
            self._check(prompt)
        progress(0.0, LOADING)
        model = self.models.tokenizer(tokenizer)
        rate = model.sample_rate
        speech = read_speech(recording, rate)
        voice = torch.from_numpy(read_speech(prompt, rate)) if prompt else None
        progress(0.3, "Encoding")
        codes, own = model.encode_one(torch.from_numpy(speech))
        progress(0.5, GENERATING)
        settings = dict(num_steps=int(num_steps), seed=int(seed or 0))
        speakers = None if prompt else own[None]
        decoded = model.decode(
            codes[None], prompt=voice, speaker_codes=speakers, **settings
        )
        decoded = decoded[0].cpu().numpy()
        versions = {"Recording": (speech, []), "Decoded": (decoded, [])}
        pictures = spectrograms(versions, rate)
        return Answer(decoded, rate, pictures, **_describe(model, codes))

    def look(self, recording: str | None, progress: Progress = no_progress) -> Answer:
        """Spectrogram and codes of a recording, if given, and the layer weights."""
        pictures, codes = "", {}
        progress(0.0, LOADING)
        if recording:
            self._check(recording)
            speech = read_speech(recording, SAMPLE_RATE)
            pictures = spectrograms({"Spectrogram": (speech, [])}, SAMPLE_RATE)
        if recording and self.models.tokenizers:
            model = self.models.tokenizer(next(iter(self.models.tokenizers)))
            speech = torch.from_numpy(read_speech(recording, model.sample_rate))
            own = model.encode(speech[None])[0]
            rows = code_rows(own.cpu().numpy(), model.frame_rate, model.codebook_size)
            pictures += figure("Codes: equal codes have equal colours", rows)
            codes = _describe(model, own)
        if self.models.checkpoint:
            weights = self.models.generator().layer_weights().cpu().numpy()
            name = Path(self.models.checkpoint).name
            title = f"Weights of the layers of {name} in z"
            drawn = draw_charts([layer_weights_chart(weights)])
            pictures += figure(title, to_data_uri(drawn))
        return Answer(pictures=pictures, **codes)

    def _check(self, recording: str | None) -> float:
        """Seconds of a recording; refuses one that is missing, broken or too long."""
        if not recording:
            raise ValueError("no recording is given: upload a file or record one")
        if (seconds := seconds_of(recording)) > self.max_seconds:
            raise ValueError(
                f"{Path(recording).name}: expected at most {self.max_seconds:g} s, "
                f"found {seconds:.1f} s; cut it, or start the page with a larger "
                "--max_seconds"
            )
        return seconds


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def _describe(model: UniWavTokenizer, codes: torch.Tensor) -> dict[str, str]:
    lines = (" ".join(map(str, own)) for own in codes.tolist())
    return dict(codes="\n".join(lines), note=model.extra_repr())
