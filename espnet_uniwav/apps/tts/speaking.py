"""Text to speech to files, and to standard output."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from espnet_uniwav.apps.text.characters import check_text
from espnet_uniwav.apps.tts.lines import Line, read_lines
from espnet_uniwav.apps.tts.streaming import write_stream
from espnet_uniwav.apps.tts.synthesizer import SpeakingOptions, Synthesizer
from espnet_uniwav.apps.tts.times import check_times, check_word_ends, write_times
from espnet_uniwav.core.flow.sampling import SPEAKING
from espnet_uniwav.io.audio import check_speech_output, write_speech
from espnet_uniwav.io.jobs import check_failures, process_all, write_outcomes
from espnet_uniwav.io.output import check_output, file_of, locked


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
    times: str | Path | None = None,
    lexicon: str | Path | None = None,
    **sampling,
) -> str | None:
    """Read one text to a file or a pipe, or the lines of a table to a folder.

    Args:
        model: Folder of ``uniwav export``, a name, or model file (.pth) of ESPnet.
        output: File (.wav, .flac, .ogg, .opus or .mp3), - for standard output as wav,
            or folder of ``lines``, for NAME.wav, failed.tsv and times.tsv.
        text: Text to read.
        lines: Table of texts to read, see ``read_lines``.
        prompt: Recording of the target voice, whose speaker agreed to this use.
        prompt_text: Transcript of the prompt (better with than without).
        seconds: Length of the speech, instead of ``speed``.
        speed: Divides predicted durations.
        seed: Seed of all random draws.
        config: Of a .pth file; None: config.yaml beside it.
        vocoder: Checkpoint or none (Griffin-Lim); None: the model's, else the packaged.
        device: Torch device, such as cuda.
        allow_failed: Exit with status 0 if some failed, but not all.
        times: File of times: of sentences (.srt), words (.ctm), words and phones
            (.TextGrid).
        lexicon: Pronunciations before the built-in ones: lines ``word PH PH ...``.
        **sampling: Of the solver; by default those of the model, else ``SPEAKING``.

    Returns:
        What was done, in one line; None if standard output holds the speech.

    Raises:
        ValueError, OSError: Naming the file or line and what to do.
    """
    SpeakingOptions(SPEAKING.but(**sampling), seed, speed, seconds)  # fail early
    text, output = text or "", Path(output)
    _check(text, lines, output, times)
    options = dict(seconds=seconds, speed=speed, seed=seed, **sampling)
    loaded = model, config, device, vocoder, lexicon
    load = functools.partial(Synthesizer.from_pretrained, *loaded)
    voice = dict(prompt=str(prompt or ""), prompt_text=prompt_text)
    if lines:
        table = read_lines(Path(lines))
        return _write_lines(load, table, output, voice, options, allow_failed)
    if str(output) == "-":
        return _print_speech(load, text, **voice, **options)
    return _write_text(load(), text, voice, output, times, options)


def _check(
    text: str, lines: str | Path | None, output: Path, times: str | Path | None
) -> None:
    """Refuse what cannot be read or written, before the model is loaded."""
    check_text(text)
    if lines and str(output) == "-":
        raise ValueError("--output: expected a folder for --lines, found -")
    if times:
        check_times(times, lines, output)
    if lines:
        check_output(output, folder=True)
    elif str(output) != "-":
        check_speech_output(output)


def _write_text(
    synthesizer: Synthesizer,
    text: str,
    voice: dict,
    output: Path,
    times: str | Path | None,
    options: dict,
) -> str:
    """Write the speech of a text, and its times if they are wanted."""
    if times:
        check_word_ends(times, synthesizer.network.token_list)
    sentences = list(synthesizer.speak_sentences(text, **voice, **options))
    speech = np.concatenate([own.speech for own in sentences])
    write_speech(output, speech, synthesizer.sample_rate)
    if times:
        write_times(times, sentences)
    return f"{output}: {len(speech) / synthesizer.sample_rate:.2f} s spoken"


def _write_lines(
    load: Callable[[], Synthesizer],
    table: list[Line],
    folder: Path,
    voice: dict,
    options: dict,
    allow_failed: bool,
) -> str:
    """Write the lines of a table; ``voice`` is that of lines without one."""
    folder.mkdir(parents=True, exist_ok=True)
    synthesizer = load()

    def write(item: tuple[Line, Path]) -> float:
        line, path = item
        missing = {key: value for key, value in voice.items() if not getattr(line, key)}
        return _write_line(synthesizer, replace(line, **missing), path, options)

    todo = {line.name: (line, file_of(folder, line.name, ".wav")) for line in table}
    with locked(folder):
        failed = write_outcomes(folder, process_all(lambda: write, todo, title="tts"))
    done = len(table) - failed
    said = f"{folder}: {done} of {len(table)} lines read"
    return check_failures(said, folder, done, failed, allow_failed)


def _write_line(
    synthesizer: Synthesizer, line: Line, path: Path, options: dict
) -> float:
    """Write a line as a file; returns its seconds."""
    speech = synthesizer(
        line.text, line.prompt, line.prompt_text, line.phones, line.durations, **options
    )
    write_speech(path, speech, synthesizer.sample_rate)
    return len(speech) / synthesizer.sample_rate


def _print_speech(load: Callable[[], Synthesizer], *what, **options) -> None:
    """Stream to standard output, to which nothing else is written meanwhile."""
    output = sys.stdout.buffer
    with contextlib.redirect_stdout(sys.stderr):
        synthesizer = load()
        chunks = synthesizer.stream(*what, **options)
        seconds = write_stream(output, chunks, synthesizer.sample_rate)
        print(f"standard output: {seconds:.2f} s spoken")
