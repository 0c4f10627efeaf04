"""Scores of generated speech, utterance by utterance, and of recordings beside it."""

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
from espnet_uniwav.io.audio import SAMPLE_RATE, read_speech
from espnet_uniwav.io.output import check_output, write_text
from espnet_uniwav.io.samples import resample
from espnet_uniwav.lab.score.judges import (
    NaturalnessJudge,
    SpeakerJudge,
    WhisperJudge,
)
from espnet_uniwav.lab.score.word_errors import Errors, count_errors

# Of the judges: a change invalidates the cached scores.
VERSION = "whisper tiny.en beam 5, resemblyzer 0.1.4, distillmos 0.9.1"
RECORDING, STRANGER = "recording", "another speaker"
COPY, VOCODED, CODED = "Griffin-Lim copy", "vocoder copy", "codec copy"

Speak = Callable[[Line], np.ndarray]


@dataclass(frozen=True)
class SpeechScore:
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


class SpeechScorer:
    """All judges, loaded when the first utterance is scored.

    Args:
        path: JSON file of cached scores; None: no cache.
    """

    def __init__(self, path: Path | None = None):
        self.path, self.cache = path, {}
        if path is not None:
            check_output(path)
        if path is not None and path.is_file():
            self.cache = json.loads(path.read_text(encoding="utf-8"))
        self._judges = None
        self._voices = {}

    def score(self, speech: np.ndarray, line: Line) -> SpeechScore:
        """Score samples (S,) at 16 kHz against a line's text and prompt."""
        prompt = read_speech(line.prompt, SAMPLE_RATE)
        key = hashlib.sha256(VERSION.encode())
        key.update(np.ascontiguousarray(speech).tobytes())
        key.update(prompt.tobytes())
        key.update(line.text.encode())
        key = key.hexdigest()[:32]
        if key not in self.cache:
            self.cache[key] = asdict(self._judge(speech, prompt, line))
        found = self.cache[key]
        return SpeechScore(**{**found, "errors": Errors(**found["errors"])})

    def score_system(self, name: str, lines: list[Line], speak: Speak) -> list:
        """Score the speech of a system for every line, and save the cache."""
        bar = tqdm(lines, desc=name, unit="utt", disable=None)
        scores = [self.score(speak(line), line) for line in bar]
        if self.path is not None:
            write_text(self.path, json.dumps(self.cache, indent=0))
        return scores

    def _judge(self, speech: np.ndarray, prompt: np.ndarray, line: Line) -> SpeechScore:
        if self._judges is None:
            self._judges = (WhisperJudge(), SpeakerJudge(), NaturalnessJudge())
        words, voice, naturalness = self._judges
        heard = words.transcribe(torch.as_tensor(speech), SAMPLE_RATE)
        if line.prompt not in self._voices:
            self._voices[line.prompt] = voice.embed(prompt)
        return SpeechScore(
            errors=count_errors(write_out(line.text), write_out(heard)),
            heard=heard,
            similarity=float(voice.embed(speech) @ self._voices[line.prompt]),
            naturalness=naturalness.score(speech),
            seconds=len(speech) / SAMPLE_RATE,
        )


def fixed_systems(
    lines: list[Line], copies: Mapping[str, AbsFeatures]
) -> dict[str, Speak]:
    """Upper and lower bounds: the recordings, their copies, and other speakers.

    Args:
        lines: All lines.
        copies: Features by the name of a copy: the recording through these and back.
    """
    others = strangers(lines)
    systems = {RECORDING: lambda line: read_speech(line.reference, SAMPLE_RATE)}
    for name, features in copies.items():
        systems[name] = functools.partial(copy, features)
    if others:
        systems[STRANGER] = lambda line: read_speech(others[line.name], SAMPLE_RATE)
    return systems


def copy(features: AbsFeatures, line: Line) -> np.ndarray:
    """Samples (S,) at 16 kHz of a recording, analysed and synthesised again."""
    rate = features.spec.sample_rate
    speech = read_speech(line.reference, rate)
    x = features.extract_one(torch.as_tensor(speech))
    return resample(features.invert_one(x).numpy()[: len(speech)], rate, SAMPLE_RATE)


def strangers(lines: list[Line]) -> dict[str, str]:
    """Line -> the next recording of another speaker; empty if all are of one."""
    found = {}
    for i, line in enumerate(lines):
        following = (*lines[i + 1 :], *lines[:i])
        other = next((o for o in following if o.speaker != line.speaker), None)
        if other is None:
            return {}
        found[line.name] = other.reference
    return found
