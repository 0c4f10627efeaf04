"""Scores of every judge for every utterance, cached."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from espnet_uniwav.apps.text.write_out import write_out
from espnet_uniwav.apps.tts.lines import Line
from espnet_uniwav.core.features import AbsFeatures
from espnet_uniwav.io.audio import read_speech
from espnet_uniwav.io.output import check_output, write_text
from espnet_uniwav.io.samples import resample
from espnet_uniwav.lab.score.judges import (
    RATE,
    NaturalnessJudge,
    SpeakerJudge,
)
from espnet_uniwav.lab.score.word_errors import Errors, WhisperJudge, count_errors

# Of the judges: a change invalidates the cached scores.
VERSION = "whisper tiny.en beam 5, resemblyzer 0.1.4, distillmos 0.9.1"
RECORDING, STRANGER = "recording", "another speaker"
COPY, VOCODED, CODED = "Griffin-Lim copy", "vocoder copy", "codec copy"


@dataclass(frozen=True)
class Score:
    """Scores of one utterance.

    Attributes:
        errors: Word and character errors of Whisper's transcript.
        heard: Whisper's transcript.
        similarity: Cosine between the voices of utterance and prompt, -1 to 1.
        naturalness: Mean opinion score, 1 to 5.
        seconds: Length.
    """

    errors: Errors
    heard: str
    similarity: float
    naturalness: float
    seconds: float


class Judges:
    """All judges, loaded when the first utterance is judged.

    Args:
        path: JSON file of cached scores; None: no cache.
    """

    def __init__(self, path: Path | None = None):
        self.path = path
        self.kept = {}
        self._judges = None
        self._voices = {}
        if path is not None:
            check_output(path)
        if path is not None and path.is_file():
            self.kept = json.loads(path.read_text(encoding="utf-8"))

    def judge(self, speech: np.ndarray, line: Line) -> Score:
        """Score samples (S,) at 16 kHz against a line's text and prompt."""
        prompt = read_speech(line.prompt, RATE)
        key = hashlib.sha256(VERSION.encode())
        key.update(np.ascontiguousarray(speech).tobytes())
        key.update(prompt.tobytes())
        key.update(line.text.encode())
        key = key.hexdigest()[:32]
        if key not in self.kept:
            self.kept[key] = asdict(self._ask(speech, prompt, line))
        row = self.kept[key]
        return Score(**{**row, "errors": Errors(**row["errors"])})

    def save(self) -> None:
        """Write the scores."""
        if self.path is not None:
            write_text(self.path, json.dumps(self.kept, indent=0))

    def _ask(self, speech: np.ndarray, prompt: np.ndarray, line: Line) -> Score:
        if self._judges is None:
            self._judges = (WhisperJudge(), SpeakerJudge(), NaturalnessJudge())
        words, voice, naturalness = self._judges
        heard = words.transcribe(torch.as_tensor(speech), RATE)
        if line.prompt not in self._voices:
            self._voices[line.prompt] = voice.embed(prompt)
        return Score(
            errors=count_errors(write_out(line.text), write_out(heard)),
            heard=heard,
            similarity=float(voice.embed(speech) @ self._voices[line.prompt]),
            naturalness=naturalness.score(speech),
            seconds=len(speech) / RATE,
        )


def judge_system(
    name: str,
    lines: list[Line],
    speak: Callable[[Line], np.ndarray],
    judges: Judges,
) -> list[Score]:
    """Score the speech of a system for every line."""
    scores = []
    for line in tqdm(lines, desc=name, unit="utt", disable=None):
        scores.append(judges.judge(speak(line), line))
    judges.save()
    return scores


def fixed_systems(
    lines: list[Line], copies: Mapping[str, AbsFeatures]
) -> dict[str, Callable[[Line], np.ndarray]]:
    """Upper and lower bounds: the recordings, their copies, and other speakers.

    Args:
        lines: All lines.
        copies: Features by the name of a copy: the recording through these and back.
    """
    others = strangers(lines)
    systems = {RECORDING: lambda line: read_speech(line.reference, RATE)}
    for name, features in copies.items():
        systems[name] = functools.partial(copy, features)
    if others:
        systems[STRANGER] = lambda line: read_speech(others[line.name], RATE)
    return systems


def copy(features: AbsFeatures, line: Line) -> np.ndarray:
    """Samples (S,) at 16 kHz of a recording, analysed and synthesised again."""
    rate = features.spec.sample_rate
    speech = read_speech(line.reference, rate)
    x = features.extract_one(torch.as_tensor(speech))
    return resample(features.invert_one(x).numpy()[: len(speech)], rate, RATE)


def strangers(lines: list[Line]) -> dict[str, str]:
    """Line -> the next recording of another speaker; empty if all are of one."""
    found = {}
    for i, line in enumerate(lines):
        behind = (*lines[i + 1 :], *lines[:i])
        other = next((o for o in behind if o.speaker != line.speaker), None)
        if other is None:
            return {}
        found[line.name] = other.reference
    return found
