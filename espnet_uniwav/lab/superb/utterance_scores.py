"""Scores of S3PRL's predictions per utterance, so that groups can be separated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import editdistance
import numpy as np
from sklearn.metrics import roc_curve

from espnet_uniwav.io.input import fields, read_lines
from espnet_uniwav.io.kaldi import read_table
from espnet_uniwav.lab.score.bootstrap import error_rate, estimate_rate, percentiles
from espnet_uniwav.lab.superb.folders import read_utterances
from espnet_uniwav.lab.superb.tasks import TASKS

RESAMPLES = 500


@dataclass(frozen=True)
class Counts:
    """Counts of a rate: `hits` of `totals` per utterance (percent)."""

    names: list[str]
    hits: np.ndarray
    totals: np.ndarray

    def rate(self, chosen: np.ndarray) -> float:
        """In percent, over the chosen utterances (boolean)."""
        return error_rate(self.hits[chosen], self.totals[chosen])

    def interval(self, chosen: np.ndarray, speakers: list[str]) -> tuple[float, float]:
        """95 % bootstrap interval over speakers with all their utterances."""
        _, ids = np.unique(np.array(speakers)[chosen], return_inverse=True)
        hits, totals = (
            np.bincount(ids, weights=values[chosen])
            for values in (self.hits, self.totals)
        )
        _, low, high = estimate_rate(hits, totals)
        return low, high


@dataclass(frozen=True)
class Trials:
    """Scores of pairs: `names` are (one, other), `same` says whether one speaker."""

    names: list[tuple[str, str]]
    same: np.ndarray
    scores: np.ndarray

    def rate(self, chosen: np.ndarray) -> float:
        """Equal error rate in percent."""
        return equal_error_rate(self.same[chosen], self.scores[chosen])

    def interval(self, chosen: np.ndarray, speakers: list) -> tuple[float, float]:
        """95 % bootstrap interval over speakers; a trial counts for both its sides."""
        pairs = np.array(speakers)[chosen]
        names, ids = np.unique(pairs, return_inverse=True)
        ids = ids.reshape(pairs.shape)
        random, rates = np.random.default_rng(0), []
        for _ in range(RESAMPLES):
            drawn = random.integers(len(names), size=len(names))
            times = np.bincount(drawn, minlength=len(names))[ids]
            weights = np.where(ids[:, 0] == ids[:, 1], times[:, 0], times.prod(axis=1))
            rates.append(
                equal_error_rate(self.same[chosen], self.scores[chosen], weights)
            )
        return percentiles(rates)


def equal_error_rate(same, scores, weights=None) -> float:
    """Error rate where false acceptances equal false rejections (percent).

    NaN where one kind of pair has no weight.
    """
    weights = np.ones(len(same)) if weights is None else weights
    if not weights[same == 1].sum() or not weights[same == 0].sum():
        return float("nan")
    passed, accepted, _ = roc_curve(
        same, scores, sample_weight=weights, drop_intermediate=False
    )
    return 100.0 * float(np.interp(0.0, passed + accepted - 1.0, passed))


def read_counts(task: str, run: Path, data: Path, split: str) -> dict:
    """Reads the predictions of one run on one split.

    Args:
        task: a key of TASKS.
        run: the folder of the run.
        data: the task's folder.
        split: dev or test.

    Returns:
        Name of the metric -> `Counts`, or `Trials` for EER.

    Raises:
        ValueError: predictions are missing, or are not of these data.
    """
    spec = TASKS[task]
    found = read_table(run / spec.outputs.format(spec.splits[split]))
    if task == "asv":
        return {"EER": _read_trials(found, run, data, split)}
    wanted = {n for n, u in read_utterances(data).items() if u["split"] == split}
    if wanted != set(found):
        odd = sorted(wanted ^ set(found))[0]
        raise ValueError(
            f"{run}: {len(found)} predictions for the {len(wanted)} {split} utterances "
            f"of {data}, for example {odd}: the data have changed, name a new folder "
            "for the runs"
        )
    references = read_table(run / spec.references.format(spec.splits[split]))
    pairs = {name: (references[name], found[name]) for name in sorted(found)}
    return {metric: _count(metric, pairs) for metric in spec.metrics}


def _count(metric: str, pairs: dict[str, tuple[str, str]]) -> Counts:
    if metric == "accuracy":
        hits = [float(wanted == found) for wanted, found in pairs.values()]
        return Counts(list(pairs), np.array(hits), np.ones(len(hits)))
    cut = str if metric == "CER" else str.split
    hits = [editdistance.eval(cut(a), cut(b)) for a, b in pairs.values()]
    totals = [len(cut(wanted)) for wanted, _ in pairs.values()]
    return Counts(list(pairs), np.array(hits, float), np.array(totals, float))


def _read_trials(found: dict, run: Path, data: Path, split: str) -> Trials:
    names, same, scores = [], [], []
    for line in read_lines(data / f"{split}_trials.txt"):
        label, *paths = fields(line)
        pair = tuple("-".join(Path(p).with_suffix("").parts[-3:]) for p in paths)
        if "_".join(pair) not in found:
            raise ValueError(f"{run}: no score for the trial {pair} of {data}")
        names.append(pair)
        same.append(int(label))
        scores.append(float(found["_".join(pair)]))
    return Trials(names, np.array(same), np.array(scores))
