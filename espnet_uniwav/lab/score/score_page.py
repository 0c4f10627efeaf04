"""Report sections on generated speech: scores, and players side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from espnet_uniwav.apps.tts.lines import Line
from espnet_uniwav.io.audio import read_speech
from espnet_uniwav.io.kaldi import thin
from espnet_uniwav.lab.report.page import Clip, Row, Section, Table
from espnet_uniwav.lab.report.pictures import audio_data_uri, mel_decibels, spectrogram
from espnet_uniwav.lab.score.scores import RATE, RECORDING

LEAD = (
    "Words recognised by Whisper tiny.en, voice compared by Resemblyzer with the "
    "prompt, naturalness by DistillMOS; means with 95 % intervals over utterances. The "
    "recording and its Griffin-Lim copy are the ceilings, another speaker is the floor "
    "of similarity."
)


def speech_sections(
    title: str,
    tables: list[Table],
    lines: list[Line],
    speakers: Mapping[str, Callable[[Line], np.ndarray]],
    count: int,
) -> list[Section]:
    """Sections with the scores, and with players for some lines.

    Args:
        title: Title of the first section.
        tables: Those of the scores.
        lines: All lines; ``count`` of them have players.
        speakers: System -> function from a line to its speech, (S,) samples.
        count: Lines with players.
    """
    heard = [listen(line, speakers) for line in thin(lines, count)]
    return [
        Section(title, LEAD, tables=tables),
        Section(f"{title}, to hear", rows=heard),
    ]


def listen(line: Line, speakers: Mapping[str, Callable[[Line], np.ndarray]]) -> Row:
    """The prompt and the speech of every system, with spectrograms on one scale."""
    sounds = {"prompt": read_speech(line.prompt, RATE)}
    sounds.update({name: speak(line) for name, speak in speakers.items()})
    peak = float(mel_decibels(sounds[RECORDING], RATE).max())
    clips = [
        Clip(name, audio_data_uri(sound, RATE), spectrogram(sound, RATE, peak, []))
        for name, sound in sounds.items()
    ]
    return Row(f"{line.name}, {line.speaker}", clips, line.text)
