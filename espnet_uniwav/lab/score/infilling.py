"""The infilling table: systems judged by word errors and by feature distance."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from espnet_uniwav.apps.infill.filling import (
    feature_distance,
    fill_linear,
    fill_mean,
    fill_model,
    span_mask,
)
from espnet_uniwav.core.flow.sampling import Sampling
from espnet_uniwav.io.audio import read_speech, write_speech
from espnet_uniwav.io.kaldi import read_data_folder, thin
from espnet_uniwav.io.output import check_output, file_of, write_text
from espnet_uniwav.lab.score.word_errors import Errors, count_errors, normalise

ORIGINAL, COPY = "original", "copy by the features"
MEAN, LINEAR, MODEL = "utterance mean", "linear interpolation", "filled in"


@dataclass(frozen=True)
class HeldOut:
    """One utterance to hide parts of: (S,) samples and (T, F) features."""

    name: str
    text: str
    speech: Tensor
    x: Tensor

    def key(self) -> str:
        """Changes with the text and with every sample."""
        digest = hashlib.sha256(self.speech.numpy().tobytes())
        digest.update(self.text.encode())
        return f"{self.name}/{digest.hexdigest()[:16]}"


@dataclass(frozen=True)
class Score:
    """Score of one system on one utterance; no errors if it was not judged."""

    distance: float
    errors: Errors | None


@dataclass(frozen=True)
class Protocol:
    """Settings that must be equal in a fair comparison.

    Attributes:
        span: Seconds per hidden span.
        share: Share of hidden frames.
        seed: Seed of the masks.
    """

    span: float
    share: float = 0.3
    seed: int = 0


def load_utterances(
    folder: Path, features, count: int | None, shortest: float
) -> tuple[list[HeldOut], list[str]]:
    """Read a Kaldi data folder, evenly thinned to ``count`` utterances.

    Args:
        folder: Holds ``wav.scp`` and ``text``.
        features: Feature space of the checkpoint.
        count: Wanted number of utterances, None for all.
        shortest: Utterances must be longer than this (seconds).

    Returns:
        The utterances, and the names of those left out as too short or without text.
    """
    found = sorted(read_data_folder(folder / "wav.scp"), key=lambda u: u.name)
    found = thin(found, count)
    rate = features.spec.sample_rate
    utterances, skipped = [], []
    for u in tqdm(found, desc="reading", unit="utt", disable=None):
        speech = torch.from_numpy(read_speech(u.path, rate))
        if not normalise(u.text) or len(speech) <= shortest * rate:
            skipped.append(u.name)
            continue
        x = features.extract_one(speech)
        utterances.append(HeldOut(u.name, u.text, speech, x))
    if not utterances:
        raise ValueError(
            f"{folder}: no utterance with a text and more than {shortest} seconds"
        )
    return utterances, skipped


class Cache:
    """Cache of scores that do not depend on a checkpoint, in a JSON file.

    Args:
        path: File to keep them in; None keeps nothing.
    """

    def __init__(self, path: Path | None):
        self.path = path
        self.table = {}
        if path is not None:
            check_output(path)
        if path is not None and path.is_file():
            self.table = json.loads(path.read_text(encoding="utf-8"))

    def get(self, settings: str, utterance: HeldOut) -> Score | None:
        """The stored score, or None."""
        row = self.table.get(settings, {}).get(utterance.key())
        if row is None:
            return None
        return Score(row["distance"], row["errors"] and Errors(**row["errors"]))

    def put(self, settings: str, utterance: HeldOut, score: Score) -> None:
        """Store a score; ``save`` writes it."""
        self.table.setdefault(settings, {})[utterance.key()] = asdict(score)

    def save(self) -> None:
        """Write the file."""
        if self.path is not None:
            write_text(self.path, json.dumps(self.table, indent=0))


@contextmanager
def _one_torch_thread():
    """Keep the threads of a pool from starting torch threads of their own."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Scorer:
    """Scores systems on the same utterances and masks.

    Args:
        features: Feature space of the checkpoint.
        utterances: Utterances to score.
        judge: ``WhisperJudge``, or None for the distance alone.
        cache: Cache of the systems that do not depend on a model.
        wavs: Folder for every judged waveform; None writes none.
    """

    def __init__(self, features, utterances, judge=None, cache=None, wavs=None):
        self.features = features
        self.utterances = utterances
        self.judge = judge
        self.cache = cache or Cache(None)
        self.wavs = wavs

    def masks(self, protocol: Protocol) -> list[Tensor]:
        """The hidden frames of every utterance."""
        frames = round(protocol.span * self.features.spec.frame_rate)
        return [
            span_mask(u.name, len(u.x), frames, protocol.share, protocol.seed)
            for u in self.utterances
        ]

    def fixed(self, system: str, protocol: Protocol) -> list[Score]:
        """Scores of a system that needs no model, from the cache where possible."""
        settings = self._settings(system, protocol)
        scores = [self.cache.get(settings, u) for u in self.utterances]
        if self.wavs is not None:
            scores = [None] * len(scores)
        todo = [i for i, score in enumerate(scores) if score is None]
        masks = self.masks(protocol)
        fill = {MEAN: fill_mean, LINEAR: fill_linear}.get(system, lambda x, mask: x)
        filled = {i: fill(self.utterances[i].x, masks[i]) for i in todo}
        for i, score in self._score(system, protocol, filled, masks).items():
            scores[i] = score
            self.cache.put(settings, self.utterances[i], score)
        self.cache.save()
        return scores

    def model(
        self, model, protocol: Protocol, sampling: Sampling, seed: int, label: str
    ) -> list[Score]:
        """Scores of the model's infilling."""
        masks = self.masks(protocol)
        xs = [u.x for u in self.utterances]
        with tqdm(total=len(xs), desc=f"filling {label}", disable=None) as bar:
            filled = fill_model(model, xs, masks, sampling, seed, progress=bar.update)
        scores = self._score(label, protocol, dict(enumerate(filled)), masks)
        return [scores[i] for i in range(len(xs))]

    def _settings(self, system: str, protocol: Protocol) -> str:
        settings = {"system": system, "judge": self.judge and self.judge.name}
        if system != ORIGINAL:
            settings["features"] = self.features.spec.to_dict()
            settings["rounds"] = getattr(self.features, "griffin_lim_iterations", None)
        if system not in (ORIGINAL, COPY):
            settings.update(asdict(protocol))
        return json.dumps(settings, sort_keys=True)

    def _score(self, system, protocol, filled: dict[int, Tensor], masks):
        def score(i: int) -> Score:
            u, std = self.utterances[i], self.features.spec.std
            distance = feature_distance(filled[i], u.x, masks[i], std)
            return Score(distance, self._judge(system, protocol, u, filled[i]))

        threads = self.judge.threads if self.judge else 1
        with _one_torch_thread(), ThreadPoolExecutor(threads) as pool:
            done = tqdm(
                pool.map(score, filled), total=len(filled), desc=system, disable=None
            )
            return dict(zip(filled, done))

    def _judge(self, system, protocol, utterance: HeldOut, x: Tensor):
        if self.judge is None and self.wavs is None:
            return None
        rate = self.features.spec.sample_rate
        speech = utterance.speech
        if system != ORIGINAL:
            speech = self.features.invert_one(x)[: len(speech)]
        if self.wavs is not None:
            folder = (
                self.wavs / f"{1000 * protocol.span:.0f}ms" / system.replace(" ", "_")
            )
            folder.mkdir(parents=True, exist_ok=True)
            write_speech(file_of(folder, utterance.name, ".wav"), speech, rate)
        if self.judge is None:
            return None
        return count_errors(utterance.text, self.judge.transcribe(speech, rate))
