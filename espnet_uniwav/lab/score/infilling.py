"""Infilling scored by word errors and by feature distance: systems, rows, tables."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
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
from espnet_uniwav.io.output import file_of
from espnet_uniwav.io.tables import markdown
from espnet_uniwav.lab.corpora.texts import normalise
from espnet_uniwav.lab.score.bootstrap import Estimate, error_rate, estimate_rate
from espnet_uniwav.lab.score.cache import ScoreCache
from espnet_uniwav.lab.score.word_errors import Errors, count_errors

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
class InfillingScore:
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


@contextmanager
def _one_torch_thread():
    """Keep the threads of a pool from starting torch threads of their own."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class InfillingScorer:
    """Scores systems on the same utterances and masks.

    Args:
        features: Feature space of the checkpoint.
        utterances: Utterances to score.
        judge: ``WhisperJudge``, or None for the distance alone.
        cache: File of the scores that do not depend on a model; None: no cache.
        wavs: Folder for every judged waveform; None writes none.
    """

    def __init__(self, features, utterances, judge=None, cache=None, wavs=None):
        self.features = features
        self.utterances = utterances
        self.judge = judge
        self.cache = ScoreCache(InfillingScore, cache)
        self.wavs = wavs

    def masks(self, protocol: Protocol) -> list[Tensor]:
        """The hidden frames of every utterance."""
        frames = round(protocol.span * self.features.spec.frame_rate)
        return [
            span_mask(u.name, len(u.x), frames, protocol.share, protocol.seed)
            for u in self.utterances
        ]

    def fixed(self, system: str, protocol: Protocol) -> list[InfillingScore]:
        """Scores of a system that needs no model, from the cache where possible."""
        settings = self._settings(system, protocol)
        keys = [f"{settings} {u.key()}" for u in self.utterances]
        scores = [self.cache.get(key) for key in keys]
        if self.wavs is not None:
            scores = [None] * len(scores)
        todo = [i for i, score in enumerate(scores) if score is None]
        masks = self.masks(protocol)
        fill = {MEAN: fill_mean, LINEAR: fill_linear}.get(system, lambda x, mask: x)
        filled = {i: fill(self.utterances[i].x, masks[i]) for i in todo}
        for i, score in self._score(system, protocol, filled, masks).items():
            scores[i] = score
            self.cache.put(keys[i], score)
        self.cache.save()
        return scores

    def model(
        self, model, protocol: Protocol, sampling: Sampling, seed: int, label: str
    ) -> list[InfillingScore]:
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
        def score(i: int) -> InfillingScore:
            u, std = self.utterances[i], self.features.spec.std
            distance = feature_distance(filled[i], u.x, masks[i], std)
            return InfillingScore(distance, self._judge(system, protocol, u, filled[i]))

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


@dataclass(frozen=True)
class InfillingRow:
    """One line of the table; rates in percent, low to high is the 95 % interval."""

    system: str
    span: float
    wer: float
    low: float
    high: float
    cer: float
    distance: float
    utterances: int
    words: int
    settings: str


class Difference(NamedTuple):
    """WER of ``system`` minus WER of ``filler`` (points)."""

    system: str
    filler: str
    span: float
    points: Estimate


def parse_grid(text: str, base: Sampling) -> list[Sampling]:
    """Every combination of the settings in ``num_steps=1,2;temperature=0.7,1``.

    Args:
        text: ``name=value,value`` parts between semicolons; may be empty.
        base: Gives the settings that the text does not name, and their types.

    Raises:
        ValueError: If a name is no sampling setting or a value is of another type.
    """
    known = asdict(base)
    choices: dict[str, list] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, _, values = part.partition("=")
        name = name.strip()
        if name not in known or not values:
            raise ValueError(
                f"--grid: expected name=value,... with a name of {sorted(known)}, "
                f"found {part!r}"
            )
        kind = type(known[name])
        choices[name] = [kind(value.strip()) for value in values.split(",")]
    return [
        replace(base, **dict(zip(choices, values)))
        for values in itertools.product(*choices.values())
    ]


def score_table(
    scorer: InfillingScorer,
    model,
    protocols: list[Protocol],
    grid: list[Sampling],
    seed: int = 0,
) -> tuple[list[InfillingRow], list[Difference]]:
    """Score the fixed systems and the model's fillings at every span.

    Args:
        scorer: Holds utterances, judge and cache.
        model: ``UniWav``; None scores the fixed systems alone.
        protocols: One per span length.
        grid: Sampling settings to try.
        seed: Of the initial noise.
    """
    rows, differences = [], []
    for protocol in protocols:
        fixed = {s: scorer.fixed(s, protocol) for s in (ORIGINAL, COPY, MEAN, LINEAR)}
        rows += [summarise(s, protocol, scores) for s, scores in fixed.items()]
        for sampling in grid if model is not None else []:
            label = MODEL if len(grid) == 1 else f"{MODEL} {_varied(sampling, grid)}"
            scores = scorer.model(model, protocol, sampling, seed, label)
            rows.append(
                summarise(label, protocol, scores, f"{sampling} noise_seed={seed}")
            )
            differences += [
                Difference(label, filler, protocol.span, compare(scores, fixed[filler]))
                for filler in (MEAN, LINEAR)
                if scorer.judge is not None
            ]
    return rows, differences


def _varied(sampling: Sampling, grid: list[Sampling]) -> str:
    """The settings that differ within the grid."""
    return " ".join(
        f"{name}={value}"
        for name, value in asdict(sampling).items()
        if len({getattr(other, name) for other in grid}) > 1
    )


def summarise(
    system: str, protocol: Protocol, scores: list[InfillingScore], settings: str = ""
) -> InfillingRow:
    """Total the scores of one system into a row."""
    errors = [score.errors for score in scores if score.errors is not None]
    wer = estimate_rate([e.word_edits for e in errors], [e.words for e in errors])
    settings = f"share={protocol.share} mask_seed={protocol.seed} {settings}"
    return InfillingRow(
        system=system,
        span=protocol.span,
        wer=wer.value,
        low=wer.low,
        high=wer.high,
        cer=error_rate([e.char_edits for e in errors], [e.chars for e in errors]),
        distance=float(np.mean([score.distance for score in scores])),
        utterances=len(scores),
        words=sum(e.words for e in errors),
        settings=settings.strip(),
    )


def compare(scores: list[InfillingScore], others: list[InfillingScore]) -> Estimate:
    """WER minus that of others on the same utterances (points)."""
    edits = [a.errors.word_edits - b.errors.word_edits for a, b in zip(scores, others)]
    return estimate_rate(edits, [score.errors.words for score in scores])


def format_table(rows: list[InfillingRow]) -> str:
    """The rows as markdown, a group of columns per span."""
    spans = sorted({row.span for row in rows})
    cells = {(row.system, row.span): row for row in rows}
    titles = [
        f"{1000 * span:.0f} ms: {title}"
        for span in spans
        for title in ("WER % (95 %)", "CER %", "distance")
    ]
    lines = [
        [system, *(cell for span in spans for cell in _cells(cells[system, span]))]
        for system in dict.fromkeys(row.system for row in rows)
    ]
    return markdown(["system", *titles], lines)


def _cells(row: InfillingRow) -> list[str]:
    distance = f"{row.distance:.3f}"
    if math.isnan(row.wer):
        return ["", "", distance]
    return [f"{Estimate(row.wer, row.low, row.high):.1f}", f"{row.cer:.1f}", distance]


def csv_rows(rows: list[InfillingRow]) -> list[dict]:
    """Rounded cells; missing scores are empty."""
    return [{name: _round(own) for name, own in asdict(row).items()} for row in rows]


def _round(value):
    if not isinstance(value, float):
        return value
    return "" if math.isnan(value) else f"{value:.4g}"
