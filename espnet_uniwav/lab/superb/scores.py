"""The four tasks, and scores of S3PRL's predictions, utterance by utterance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import editdistance
import numpy as np
from sklearn.metrics import roc_curve

from espnet_uniwav.io.input import fields, read_lines
from espnet_uniwav.io.kaldi import read_table
from espnet_uniwav.lab.score.bootstrap import error_rate, estimate_rate, percentiles
from espnet_uniwav.lab.superb.utterances import read_utterances

RESAMPLES = 500


@dataclass(frozen=True)
class Task:
    """How a task is run and scored.

    Attributes:
        title: In tables.
        downstream: The expert's name in S3PRL.
        splits: The harness's names of dev and test.
        outputs: File of a run's folder with the predictions for a split.
        references: File of a run's folder with what is right.
        metrics: Names; the first one chooses the learning rate on dev.
        higher_is_better: Of the first metric.
    """

    title: str
    downstream: str
    splits: dict[str, str]
    outputs: str
    references: str
    metrics: tuple[str, ...]
    higher_is_better: bool = False


PLAIN = {"dev": "dev", "test": "test"}
CLEAN = {"dev": "dev-clean", "test": "test-clean"}
TASKS = {
    "pr": Task("PR", "ctc", PLAIN, "{}-hyp.ark", "{}-ref.ark", ("PER",)),
    "asr": Task(
        "ASR", "asr", CLEAN, "{}-noLM-hyp.ark", "{}-noLM-ref.ark", ("CER", "WER")
    ),
    "sid": Task(
        "SID", "voxceleb1", PLAIN, "{}_predict.txt", "{}_truth.txt", ("accuracy",), True
    ),
    "asv": Task("ASV", "sv_voxceleb1", PLAIN, "{}_predict.txt", "", ("EER",)),
}


@dataclass(frozen=True)
class Counts:
    """A rate in percent: `hits` of `totals` of each utterance, whose `speakers` differ.

    All arrays are (N,); `groups` are names of groups, or empty.
    """

    hits: np.ndarray
    totals: np.ndarray
    speakers: np.ndarray
    groups: np.ndarray

    def __len__(self) -> int:
        return len(self.hits)

    def split(self) -> dict[str, Counts]:
        """All utterances, and those of each group by itself."""
        found = {"all": self}
        for group in filter(None, np.unique(self.groups)):
            own = self.groups == group
            found[group] = Counts(*(values[own] for values in vars(self).values()))
        return found

    def rate(self) -> float:
        """In percent."""
        return error_rate(self.hits, self.totals)

    def interval(self) -> tuple[float, float]:
        """95 % bootstrap interval over speakers with all their utterances."""
        _, ids = np.unique(self.speakers, return_inverse=True)
        hits, totals = (np.bincount(ids, own) for own in (self.hits, self.totals))
        _, low, high = estimate_rate(hits, totals)
        return low, high

    @classmethod
    def mean(cls, found: Sequence[Counts]) -> Counts:
        """The mean of seeds."""
        return replace(found[0], hits=np.mean([own.hits for own in found], axis=0))


@dataclass(frozen=True)
class Trials:
    """An equal error rate in percent: `scores` of pairs, and which have one speaker.

    `same` and `scores` are (N,), `speakers` (N, 2).
    """

    same: np.ndarray
    scores: np.ndarray
    speakers: np.ndarray

    def __len__(self) -> int:
        return len(self.same)

    def split(self) -> dict[str, Trials]:
        """All trials; there are no groups."""
        return {"all": self}

    def rate(self) -> float:
        """In percent."""
        return equal_error_rate(self.same, self.scores)

    def interval(self) -> tuple[float, float]:
        """95 % bootstrap interval over speakers; a trial counts for both its sides."""
        names, ids = np.unique(self.speakers, return_inverse=True)
        ids = ids.reshape(self.speakers.shape)
        random, rates = np.random.default_rng(0), []
        for _ in range(RESAMPLES):
            drawn = random.integers(len(names), size=len(names))
            times = np.bincount(drawn, minlength=len(names))[ids]
            weights = np.where(ids[:, 0] == ids[:, 1], times[:, 0], times.prod(axis=1))
            rates.append(equal_error_rate(self.same, self.scores, weights))
        return percentiles(rates)

    @classmethod
    def mean(cls, found: Sequence[Trials]) -> Trials:
        """The mean scores of seeds."""
        return replace(found[0], scores=np.mean([own.scores for own in found], axis=0))


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


def read_predictions(
    task: str, run: Path, data: Path, split: str
) -> dict[str, Counts | Trials]:
    """Read the predictions of one run on one split.

    Args:
        task: A key of TASKS.
        run: The folder of the run.
        data: The task's folder.
        split: dev or test.

    Returns:
        What was counted, by the name of its metric.

    Raises:
        ValueError: If predictions are missing, or are not of these data.
    """
    spec, table = TASKS[task], read_utterances(data)
    found = read_table(run / spec.outputs.format(spec.splits[split]))
    if task == "asv":
        return {"EER": _read_trials(found, run, data / f"{split}_trials.txt", table)}
    wanted = {name for name, row in table.items() if row["split"] == split}
    if odd := wanted ^ set(found):
        raise ValueError(
            f"{run}: {len(found)} predictions for the {len(wanted)} {split} utterances "
            f"of {data}, for example {min(odd)}: the data have changed, name a new "
            "folder for the runs"
        )
    references = read_table(run / spec.references.format(spec.splits[split]))
    names = sorted(found)
    pairs = [(references[name], found[name]) for name in names]
    rest = [np.array([table[n][key] for n in names]) for key in ("speaker", "group")]
    return {metric: Counts(*_count(metric, pairs), *rest) for metric in spec.metrics}


def _count(metric: str, pairs: list[tuple[str, str]]) -> np.ndarray:
    """(2, N) hits and totals."""
    if metric == "accuracy":
        return np.array([(wanted == found, 1.0) for wanted, found in pairs]).T
    cut = str if metric == "CER" else str.split
    edits = [(editdistance.eval(cut(a), cut(b)), len(cut(a))) for a, b in pairs]
    return np.array(edits, float).T


def _read_trials(found: dict, run: Path, path: Path, table: dict) -> Trials:
    same, scores, speakers = [], [], []
    for line in read_lines(path):
        label, *paths = fields(line)
        pair = ["-".join(Path(p).with_suffix("").parts[-3:]) for p in paths]
        if "_".join(pair) not in found:
            raise ValueError(f"{run}: no score for the trial {pair} of {path}")
        same.append(int(label))
        scores.append(float(found["_".join(pair)]))
        speakers.append([table[name]["speaker"] for name in pair])
    return Trials(np.array(same), np.array(scores), np.array(speakers))
