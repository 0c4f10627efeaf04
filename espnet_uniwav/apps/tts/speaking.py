"""Text to speech with a fine-tuned model: from Python, and to files."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from espnet_uniwav.apps.text.characters import check_text
from espnet_uniwav.apps.tts.context import Context
from espnet_uniwav.apps.tts.lines import Line, items, read_durations, read_lines
from espnet_uniwav.apps.tts.reader import Manner, Reader
from espnet_uniwav.apps.tts.streaming import write_stream
from espnet_uniwav.core.flow.sampling import SPEAKING
from espnet_uniwav.core.nn.given import SAMPLES, as_tensor
from espnet_uniwav.io.audio import check_speech_output, read_speech, write_speech
from espnet_uniwav.io.jobs import check_failures, process_all, write_outcomes
from espnet_uniwav.io.output import check_output, file_of, locked


class Synthesizer:
    """Text to speech with a model fine-tuned by ESPnet's ``tts_train``.

        synthesizer = Synthesizer.from_pretrained("EXP/valid.loss.best.pth")
        speech = synthesizer("Hello.", prompt="me.wav", prompt_text="What I say there.")
        write_speech("out.wav", speech, synthesizer.sample_rate)

    The network alone, for training: ``apps.tts.network.SynthesizerNetwork``.

    Args:
        reader: The model with its tokens.
    """

    def __init__(self, reader: Reader):
        self.reader = reader
        self._last: tuple = (None, "", None)

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path,
        config: str | Path | None = None,
        device: str = "cpu",
        vocoder: str | Path | None = None,
    ) -> Synthesizer:
        """Load a model file (.pth) of ESPnet's TTS; arguments as of ``load_reader``."""
        # Imported here because tasks is above this file and imports it.
        from espnet_uniwav.integrations.espnet.reader import load_reader

        return cls(load_reader(model, config, device, vocoder))

    @property
    def sample_rate(self) -> int:
        """Samples per second (Hz)."""
        return self.reader.features.spec.sample_rate

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
        manner = Manner(self.reader.sampling.but(**sampling), seed, speed, seconds)
        check_text(text)
        context = self._context(prompt, prompt_text)
        if not (names := items(phones)):
            return self.reader.read(text, context, manner)
        counts = None
        if frames := read_durations(durations):
            counts = torch.tensor(frames, device=self.reader.device)
        spoken = self.reader.speak(names, context, manner, durations=counts)
        return self.reader.wave(spoken)

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
            Chunks of samples, which joined are what a call returns.
        """
        manner = Manner(self.reader.sampling.but(**sampling), seed, speed, seconds)
        check_text(text)
        return self.reader.stream(text, self._context(prompt, prompt_text), manner)

    def _context(self, prompt, text: str) -> Context | None:
        """The prompt, which is aligned once if it sounds as that of the last call."""
        if prompt is None or (isinstance(prompt, str) and not prompt):
            prompt, text = self.reader.voice
            if not prompt:
                return None
        if isinstance(prompt, (str, Path)):
            prompt = read_speech(prompt, self.sample_rate)
        speech = as_tensor(prompt, "prompt", "S", SAMPLES).detach().cpu().numpy().copy()
        last, said, context = self._last
        if said != text or not np.array_equal(last, speech):
            context = self.reader.prompt(speech, text)
            self._last = speech, text, context
        return context


def synthesize(
    model: str | Path,
    output: str | Path,
    text: str | None = None,
    lines: str | Path | None = None,
    prompt: str | Path | None = None,
    prompt_text: str = "",
    seconds: float | None = None,
    speed: float = 1.0,
    seed: int = 0,
    config: str | Path | None = None,
    vocoder: str | Path | None = None,
    device: str = "cpu",
    allow_failed: bool = False,
    **sampling,
) -> str | None:
    """Read one text to a file or a pipe, or the lines of a table to a folder.

    Args:
        model: Model file (.pth) of ESPnet's TTS.
        output: File, see ``write_speech``; ``-``: standard output as wav, sentence by
            sentence; the folder to write, if ``lines`` are given.
        text: What to read; or
        lines: Table of what to read, see ``read_lines``. The folder will hold NAME.wav,
            failed.tsv and times.tsv.
        prompt, prompt_text: For ``text``, and for lines without them.
        seconds, speed, seed: As of ``Synthesizer``.
        config, vocoder, device: As of ``load_reader``.
        allow_failed: Some lines may fail, see ``check_failures``.
        **sampling: As of ``Synthesizer``.

    Returns:
        What was done, in one line; None if standard output holds the speech.

    Raises:
        ValueError, OSError: Naming the file or line and what to do.
    """
    # fail early on wrong settings
    Manner(SPEAKING.but(**sampling), seed, speed, seconds)
    check_text(text or "")
    output = Path(output)
    manner = dict(seconds=seconds, speed=speed, seed=seed, **sampling)

    def load() -> Synthesizer:
        return Synthesizer.from_pretrained(model, config, device, vocoder)

    if str(output) == "-":
        if lines:
            raise ValueError("--output: expected a folder for --lines, found -")
        return _print_speech(load, text or "", prompt, prompt_text, **manner)
    voice = dict(prompt=str(prompt or ""), prompt_text=prompt_text)
    if lines:
        check_output(output, folder=True)
        table = read_lines(Path(lines))
        return _write_lines(load, table, output, voice, manner, allow_failed)
    check_speech_output(output)
    spoken = _write_line(load(), Line(text=text or "", **voice), output, manner)
    return f"{output}: {spoken:.2f} s spoken"


def _write_lines(
    load: Callable[[], Synthesizer],
    table: list[Line],
    folder: Path,
    voice: dict,
    manner: dict,
    allow_failed: bool,
) -> str:
    """Write the lines of a table; ``voice`` is that of lines without one."""
    folder.mkdir(parents=True, exist_ok=True)
    synthesizer = load()

    def write(item: tuple[Line, Path]) -> float:
        line, path = item
        missing = {key: value for key, value in voice.items() if not getattr(line, key)}
        return _write_line(synthesizer, replace(line, **missing), path, manner)

    todo = {line.name: (line, file_of(folder, line.name, ".wav")) for line in table}
    with locked(folder):
        failed = write_outcomes(folder, process_all(lambda: write, todo, title="tts"))
    done = len(table) - failed
    said = f"{folder}: {done} of {len(table)} lines read"
    return check_failures(said, folder, done, failed, allow_failed)


def _write_line(
    synthesizer: Synthesizer, line: Line, path: Path, manner: dict
) -> float:
    """Write a line as a file; returns its seconds."""
    speech = synthesizer(
        line.text, line.prompt, line.prompt_text, line.phones, line.durations, **manner
    )
    write_speech(path, speech, synthesizer.sample_rate)
    return len(speech) / synthesizer.sample_rate


def _print_speech(load: Callable[[], Synthesizer], *what, **manner) -> None:
    """Stream to standard output, to which nothing else is written meanwhile."""
    output = sys.stdout.buffer
    with contextlib.redirect_stdout(sys.stderr):
        synthesizer = load()
        chunks = synthesizer.stream(*what, **manner)
        seconds = write_stream(output, chunks, synthesizer.sample_rate)
        print(f"standard output: {seconds:.2f} s spoken")
