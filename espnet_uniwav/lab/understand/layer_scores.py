"""Scores of layers: every layer of every system is scored in the same way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from espnet_uniwav.apps.phones.ctm import Segment
from espnet_uniwav.apps.tokenizer.kmeans import kmeans
from espnet_uniwav.lab.understand.frame_labels import NONE, phone_labels, speaker_labels
from espnet_uniwav.lab.understand.mutual_information import (
    chance_information,
    mutual_information,
)
from espnet_uniwav.lab.understand.num_units import choose_clusters
from espnet_uniwav.lab.understand.probe import chance, probe, probe_halves
from espnet_uniwav.lab.understand.states import Frames

PHONES, SPEAKERS = "phones", "speakers"
INFORMATION, PROBE = "mutual_information", "probe"
NUM_RUNS = 4


@dataclass(frozen=True)
class Score:
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
        fit_labels = phone_labels(fit_frames, alignments) if fit_frames else None
        enough = fit_labels is not None and _num_classes(fit_labels) > 1
        self.fit_labels = fit_labels if enough else None

    def score(
        self,
        system: str,
        layer: str,
        states: np.ndarray,
        fit_states: np.ndarray | None = None,
    ) -> Iterator[Score]:
        """Score one layer.

        Args:
            system: Name of the model.
            layer: Name of the layer.
            states: (N, D) of the held-out frames.
            fit_states: (M, D) of the frames to fit on.
        """
        if not self.labels:
            return
        units = np.stack(
            [
                kmeans(states, self.num_clusters, self.seed + run)[1]
                for run in range(self.num_runs)
            ]
        )
        for target, labels in self.labels.items():
            place = (target, system, layer)
            known = labels != NONE
            frames = labels[known], self.owner[known]
            yield self._information(place, units[:, known], *frames)
            if target == SPEAKERS:
                yield self._speaker_probe(place, states[known], *frames)
            elif self.fit_labels is not None and fit_states is not None:
                yield self._phone_probe(place, fit_states, states[known], *frames)

    def score_codes(self, system: str, name: str, codes: np.ndarray) -> Iterator[Score]:
        """Score the codes (N,) of the held-out frames, without clustering."""
        for target, labels in self.labels.items():
            known = labels != NONE
            place = (target, system, name)
            yield self._information(
                place, codes[None, known], labels[known], self.owner[known]
            )

    def _information(self, place, units, labels, owner) -> Score:
        codes = np.unique(labels, return_inverse=True)[1]
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
        sums = np.stack([run.sums for run in runs])
        return Score(INFORMATION, *place, sums, runs[0].counts, facts)

    def _phone_probe(self, place, fit_states, states, labels, owner) -> Score:
        known = self.fit_labels != NONE
        fit_labels = self.fit_labels[known]
        right = probe(fit_states[known], fit_labels, states, labels)
        facts = {"chance": chance(fit_labels, labels), "fit_frames": len(fit_labels)}
        return _share(place, right, labels, owner, facts)

    def _speaker_probe(self, place, states, labels, owner) -> Score:
        right = probe_halves(states, labels, owner, self.seed)
        facts = {"chance": chance(labels, labels), "fit_frames": len(labels) // 2}
        return _share(place, right, labels, owner, facts)


def _share(place, right, labels, owner, facts: dict) -> Score:
    utterances = np.unique(owner, return_inverse=True)[1]
    sums, counts = np.bincount(utterances, weights=right), np.bincount(utterances)
    facts = {**facts, **_sizes(labels, owner)}
    return Score(PROBE, *place, sums[None], counts, facts)


def _num_classes(labels: np.ndarray) -> int:
    return len(np.unique(labels[labels != NONE]))


def _sizes(labels: np.ndarray, owner: np.ndarray) -> dict:
    return {
        "classes": len(np.unique(labels)),
        "frames": len(labels),
        "utterances": len(np.unique(owner)),
    }
