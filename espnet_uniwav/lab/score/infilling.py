"""Infilling scored by word errors and by distance of the features."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

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
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.io.audio import read_speech
from espnet_uniwav.io.kaldi import read_data_folder, thin
from espnet_uniwav.io.tables import markdown
from espnet_uniwav.lab.corpora.texts import normalise
from espnet_uniwav.lab.score.bootstrap import Estimate, estimate_rate
from espnet_uniwav.lab.score.word_errors import Errors, count_errors

ORIGINAL, COPY = "original", "copy by the features"
MEAN, LINEAR, MODEL = "utterance mean", "linear interpolation", "filled in"

# Samples (S,) and their rate -> words.
Transcribe = Callable[[Tensor, int], str]


@dataclass(frozen=True)
class HeldOut:
    """One utterance to hide parts of: (S,) samples and (T, F) features."""

    name: str
    text: str
    speech: Tensor
    x: Tensor


@dataclass(frozen=True)
class InfillingScores:
    """Scores of one system at one length of spans, utterance by utterance.

    Attributes:
        system: Its name.
        span: Length of a hidden span (seconds).
        distances: Of the features at the hidden frames.
        errors: Of the words; None if nothing was recognised.
    """

    system: str
    span: float
    distances: list[float]
    errors: list[Errors] | None

    def rate(self, unit: str, others: InfillingScores | None = None) -> Estimate:
        """WER (``word``) or CER (``char``) in percent, or the difference from others'.

        NaN if nothing was recognised.
        """
        errors = self.errors or []
        edits = np.array([getattr(own, f"{unit}_edits") for own in errors], float)
        if others is not None:
            edits -= [getattr(own, f"{unit}_edits") for own in others.errors]
        return estimate_rate(edits, [getattr(own, f"{unit}s") for own in errors])

    @property
    def row(self) -> dict:
        """Its line of the table; what was not measured is empty."""
        wer, cer = self.rate("word"), self.rate("char")
        values = dict(wer=wer.value, low=wer.low, high=wer.high, cer=cer.value)
        values["distance"] = float(np.mean(self.distances))
        cells = {k: "" if math.isnan(v) else f"{v:.4g}" for k, v in values.items()}
        words = sum(own.words for own in self.errors or [])
        facts = {"utterances": len(self.distances), "words": words}
        return {"system": self.system, "span": f"{self.span:.4g}", **cells, **facts}


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


def score_infilling(
    model: UniWav,
    utterances: Sequence[HeldOut],
    span: float,
    share: float,
    sampling: Sampling,
    seed: int = 0,
    transcribe: Transcribe | None = None,
) -> dict[str, InfillingScores]:
    """Hide spans of every utterance, fill them in several ways, and score all.

    Args:
        model: Fills in; its features make every waveform but the original.
        utterances: To hide parts of.
        span: Length of a hidden span (seconds).
        share: Share of hidden frames.
        sampling: Settings of the solver.
        seed: Of the masks and of the noise.
        transcribe: Recognises words; None: the distance alone.

    Returns:
        System -> scores.
    """
    features, xs = model.features, [u.x for u in utterances]
    frames = round(span * features.spec.frame_rate)
    masks = [span_mask(u.name, len(u.x), frames, share, seed) for u in utterances]
    with tqdm(total=len(xs), desc=MODEL, disable=None) as bar:
        filled = fill_model(model, xs, masks, sampling, seed, progress=bar.update)
    systems = {
        ORIGINAL: xs,
        COPY: xs,
        MEAN: list(map(fill_mean, xs, masks)),
        LINEAR: list(map(fill_linear, xs, masks)),
        MODEL: filled,
    }
    scores = {}
    for system, found in systems.items():
        distances = [
            feature_distance(own, x, mask, features.spec.std)
            for own, x, mask in zip(found, xs, masks)
        ]
        errors = None
        if transcribe is not None:
            errors = []
            for u, x in tqdm(list(zip(utterances, found)), desc=system, disable=None):
                speech = u.speech
                if system != ORIGINAL:
                    speech = features.invert_one(x)[: len(speech)]
                heard = transcribe(speech, features.spec.sample_rate)
                errors.append(count_errors(u.text, heard))
        scores[system] = InfillingScores(system, span, distances, errors)
    return scores


def format_infilling(tables: Sequence[dict[str, InfillingScores]]) -> str:
    """Scores of every length of spans as Markdown, a group of columns each."""
    titles, lines = ["system"], {system: [system] for system in tables[0]}
    for table in tables:
        span = f"{1000 * table[MODEL].span:.0f} ms"
        titles += [f"{span}: {what}" for what in ("WER % (95 %)", "CER %", "distance")]
        for system, own in table.items():
            words = ["", ""]
            if own.errors:
                words = [f"{own.rate('word'):.1f}", f"{own.rate('char').value:.1f}"]
            lines[system] += [*words, f"{np.mean(own.distances):.3f}"]
    return markdown(titles, lines.values())


def describe_differences(table: dict[str, InfillingScores]) -> Iterator[str]:
    """WER of the model minus that of the other fillings, in words."""
    own = table[MODEL]
    for other in (MEAN, LINEAR):
        points = own.rate("word", table[other])
        span = f"{1000 * own.span:.0f} ms"
        yield f"{span}: {MODEL} minus {other}: {points:+.1f} points of WER"
