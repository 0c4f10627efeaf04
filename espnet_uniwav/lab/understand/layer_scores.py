"""Scores of layers: every layer of every system is scored in the same way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np

from espnet_uniwav.apps.phones.ctm import SILENCE, Segment, frame_labels
from espnet_uniwav.apps.tokenizer.kmeans import kmeans
from espnet_uniwav.io.kaldi import MIN_UTTERANCES
from espnet_uniwav.io.tables import read_rows, write_csv
from espnet_uniwav.lab.score.bootstrap import best_difference, draw, mean_interval
from espnet_uniwav.lab.understand.mutual_information import (
    chance_information,
    mutual_information,
)
from espnet_uniwav.lab.understand.probe import chance, probe, probe_halves
from espnet_uniwav.lab.understand.states import Frames

PHONES, SPEAKERS = "phones", "speakers"
INFORMATION, PROBE = "mutual_information", "probe"
NUM_RUNS = 4
UNLABELLED = ""
MOST_CLUSTERS = 1024
FRAMES_PER_CLUSTER = 300


def phone_labels(frames: Frames, alignments: dict[str, list[Segment]]) -> np.ndarray:
    """(N,) phone at the centre of each kept frame.

    Empty without an alignment, and in silence, which can be detected by loudness alone.
    """
    labels = [
        frame_labels(alignments.get(u.name, ()), length, frames.frame_rate)[kept]
        for u, length, kept in zip(frames.utterances, frames.lengths, frames.kept)
    ]
    labels = np.concatenate(labels)
    return np.where(labels == SILENCE, UNLABELLED, labels)


def speaker_labels(frames: Frames) -> np.ndarray:
    """(N,) speaker of each kept frame; empty for speakers of under four utterances.

    With fewer, speaker and utterance cannot be distinguished.
    """
    counts = Counter(u.speaker for u in frames.utterances if u.speaker)
    enough = {speaker for speaker, count in counts.items() if count >= MIN_UTTERANCES}
    names = (
        u.speaker if u.speaker in enough else UNLABELLED for u in frames.utterances
    )
    return np.array(list(names))[frames.owner]


def choose_clusters(num_frames: int) -> int:
    """Choose the largest power of two, 2 to 1,024, with 300 frames per cluster.

    The paper's 1,024 need 307,200 frames, 1.7 hours at 50 Hz. With more clusters than
    this, the table of units and labels is so sparse that its plug-in and its held-out
    information are far apart.
    """
    wanted = max(num_frames // FRAMES_PER_CLUSTER, 2)
    return min(2 ** (wanted.bit_length() - 1), MOST_CLUSTERS)


@dataclass(frozen=True)
class LayerScore:
    """One layer of one system, measured once.

    The value is sum(sums) / sum(counts) over utterances, averaged over runs.

    Attributes:
        measure: ``mutual_information`` (bits) or ``probe`` (share of frames right).
        target: ``phones`` or ``speakers``.
        system: Name of the model.
        layer: Name of the layer, see ``States``.
        sums: (R, U) total per run of k-means and utterance; R is 1 for probes.
        counts: (U,) weight per utterance.
        facts: More columns for the table.
    """

    measure: str
    target: str
    system: str
    layer: str
    sums: np.ndarray
    counts: np.ndarray
    facts: dict = field(default_factory=dict)

    @property
    def value(self) -> float:
        """Bits, or a share."""
        return float(self.sums.mean(axis=0).sum() / self.counts.sum())

    def __str__(self) -> str:
        value = f"{self.value:.3f} bits"
        if self.measure == PROBE:
            value = f"{100 * self.value:.1f} % of frames"
        return f"{self.system}, {self.layer}: {self.target}, {self.measure}: {value}"


class LayerScorer:
    """Measures layers on the same frames and labels.

    Args:
        frames: Held-out frames.
        alignments: Phones of utterances; empty if there are none.
        fit_frames: Frames to fit the phone probe on; None measures without it.
        num_clusters: Units per layer; None chooses by the number of frames.
        num_runs: Runs of k-means to average, with different random starts.
        seed: Seed of the first k-means, of permutations and halves.
    """

    def __init__(
        self,
        frames: Frames,
        alignments: dict[str, list[Segment]],
        fit_frames: Frames | None = None,
        num_clusters: int | None = None,
        num_runs: int = NUM_RUNS,
        seed: int = 0,
    ):
        self.owner = frames.owner
        self.num_clusters = num_clusters or choose_clusters(len(self.owner))
        self.num_runs = num_runs
        self.seed = seed
        labels = {
            PHONES: phone_labels(frames, alignments),
            SPEAKERS: speaker_labels(frames),
        }
        self.labels = {k: v for k, v in labels.items() if _num_classes(v) > 1}
        self.fit_labels = phone_labels(fit_frames, alignments) if fit_frames else None

    def score(
        self,
        system: str,
        layer: str,
        states: np.ndarray,
        fit_states: np.ndarray | None = None,
    ) -> Iterator[LayerScore]:
        """Score one layer.

        Args:
            system: Name of the model.
            layer: Name of the layer.
            states: (N, D) of the held-out frames.
            fit_states: (M, D) of the frames to fit on.
        """
        if not self.labels:
            return
        seeds = range(self.seed, self.seed + self.num_runs)
        units = [kmeans(states, self.num_clusters, seed)[1] for seed in seeds]
        for information in self.score_codes(system, layer, *units):
            yield information
            target = information.target
            if target == SPEAKERS or _num_classes(self.fit_labels) > 1:
                found = self._probe(target, states, fit_states)
                yield LayerScore(PROBE, target, system, layer, *found)

    def score_codes(
        self, system: str, name: str, *units: np.ndarray
    ) -> Iterator[LayerScore]:
        """Score units (N,) of the held-out frames, of one or more runs."""
        for target in self.labels:
            found = self._information(target, units)
            yield LayerScore(INFORMATION, target, system, name, *found)

    def _labelled(self, target: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(N,) whether frames have a label; and label and utterance of those."""
        known = self.labels[target] != UNLABELLED
        return known, self.labels[target][known], self.owner[known]

    def _information(self, target: str, units: Sequence[np.ndarray]) -> tuple:
        """Sums, counts and facts of a score."""
        known, labels, owner = self._labelled(target)
        codes = np.unique(labels, return_inverse=True)[1]
        units = [run[known] for run in units]
        runs = [mutual_information(run, codes, owner) for run in units]
        entropy = runs[0].entropy
        facts = {
            "jackknife": np.mean([run.jackknife for run in runs]),
            "plug_in": np.mean([run.plug_in for run in runs]),
            "share": np.mean([run.held_out for run in runs]) / entropy,
            "chance": chance_information(units[0], codes, owner, seed=self.seed),
            "entropy": entropy,
            "clusters": len(np.unique(units[0])),
            "runs": len(units),
            **_sizes(labels, owner),
        }
        return np.stack([run.sums for run in runs]), runs[0].counts, facts

    def _probe(
        self, target: str, states: np.ndarray, fit_states: np.ndarray | None
    ) -> tuple:
        """Sums, counts and facts of a score."""
        known, labels, owner = self._labelled(target)
        if target == SPEAKERS:
            fit_labels, fit_frames = labels, len(labels) // 2
            right = probe_halves(states[known], labels, owner, self.seed)
        else:
            usable = self.fit_labels != UNLABELLED
            fit_labels, fit_frames = self.fit_labels[usable], usable.sum()
            right = probe(fit_states[usable], fit_labels, states[known], labels)
        facts = {"chance": chance(fit_labels, labels), "fit_frames": fit_frames}
        utterances = np.unique(owner, return_inverse=True)[1]
        sums = np.bincount(utterances, weights=right)[None]
        return sums, np.bincount(utterances), {**facts, **_sizes(labels, owner)}


def _num_classes(labels: np.ndarray | None) -> int:
    return 0 if labels is None else len({*labels.tolist()} - {UNLABELLED})


def _sizes(labels: np.ndarray, owner: np.ndarray) -> dict:
    return {
        "classes": len(np.unique(labels)),
        "frames": len(labels),
        "utterances": len(np.unique(owner)),
    }


def score_rows(scores: list[LayerScore], measure: str) -> list[dict]:
    """One line per layer with value and 95 % interval, in the order of the scores."""
    rows = []
    for score in scores:
        if score.measure == measure:
            draws = draw(len(score.counts))
            low, high = mean_interval(score.sums, score.counts, draws)
            row = {"target": score.target, "system": score.system}
            row.update(layer=score.layer, value=score.value, low=low, high=high)
            rows.append({**row, **score.facts})
    return rows


def difference_rows(scores: list[LayerScore]) -> list[dict]:
    """Compare the best layer of each system with that of every later system."""
    groups: dict[tuple[str, str], dict[str, list[LayerScore]]] = {}
    for s in scores:
        groups.setdefault((s.measure, s.target), {}).setdefault(s.system, []).append(s)
    return [
        {"measure": measure, "target": target, **_compare(*pair)}
        for (measure, target), systems in groups.items()
        for pair in combinations(systems.values(), 2)
    ]


def _compare(scores: list[LayerScore], others: list[LayerScore]) -> dict:
    counts = scores[0].counts
    difference = best_difference(
        np.stack([s.sums for s in scores]),
        np.stack([s.sums for s in others]),
        counts,
        draw(len(counts)),
    )
    best, other = (max(group, key=lambda s: s.value) for group in (scores, others))
    return {
        "system": best.system,
        "layer": best.layer,
        "against": other.system,
        "against_layer": other.layer,
        "difference": difference.value,
        "low": difference.low,
        "high": difference.high,
    }


def write_scores(path: Path, rows: list[dict]) -> None:
    """Write rows with equal or growing keys as CSV, numbers with five digits."""
    write_csv(path, ({k: _round(v) for k, v in row.items()} for row in rows))


def read_scores(path: Path) -> list[dict]:
    """Read a table of ``write_scores``; numbers are parsed.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is another table; it may be empty.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such table; make it with `uniwav understand`"
        )
    needed = ("system", "layer") if path.read_bytes().strip() else ()
    _, rows = read_rows(path, needed)
    return [{name: _parse(name, cell) for name, cell in r.items()} for _, r in rows]


def _round(value):
    return f"{value:.5g}" if isinstance(value, float) else value


def _parse(name: str, cell: str):
    if name.endswith(("target", "system", "layer", "measure", "against")):
        return cell
    return float(cell)
