"""Mutual information of units and labels, in bits, and its bias.

The plug-in estimate from a table of counts is too high: a sparse table looks
informative by chance. Corrections for independent frames, such as Miller's and
Madow's, hardly help, because neighbouring frames are alike and all frames of an
utterance share a voice and a channel: the utterances are the independent samples. So
whole utterances are left out, one by one, in two ways.

``held_out`` reads the labels of each utterance with the table of all others. This is
a lower bound of the information in expectation (Barber & Agakov 2003), zero where
there is nothing to know, however sparse the table is. ``jackknife`` takes the leading
term of the bias off the plug-in estimate (Quenouille 1956; for information Zahl 1977):
nearly unbiased with many utterances of each label, still too high with few. The truth
is between the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import xlogy

PERMUTATIONS = 5
SMOOTHING = tuple(10.0 ** (k / 2) for k in range(-1, 9))


@dataclass(frozen=True)
class Information:
    """Mutual information of units and labels (bits).

    Attributes:
        sums: (U,) held-out information of each utterance that has frames, summed.
        counts: (U,) its frames.
        jackknife: The corrected estimate.
        plug_in: From the table of counts as it is.
        entropy: H(label), the most that any units could tell.
    """

    sums: np.ndarray
    counts: np.ndarray
    jackknife: float
    plug_in: float
    entropy: float

    @property
    def held_out(self) -> float:
        """Mean of log2 p(label | unit) / p(label), estimated on other utterances."""
        return float(self.sums.sum() / self.counts.sum())


def mutual_information(
    units: np.ndarray, labels: np.ndarray, utterances: np.ndarray
) -> Information:
    """Estimate I(unit; label) over frames.

    Args:
        units: (N,) cluster of each frame, from 0.
        labels: (N,) label of each frame, as integers from 0.
        utterances: (N,) utterance of each frame.

    Raises:
        ValueError: If fewer than two utterances have frames.
    """
    owner = np.unique(utterances, return_inverse=True)[1]
    lengths = np.bincount(owner)
    if len(lengths) < 2:
        raise ValueError(
            "mutual information: expected labelled frames of at least two utterances, "
            f"found {len(lengths)}; use more utterances"
        )
    pairs = units.astype(np.int64) * (labels.max() + 1) + labels
    joint, unit, label = (_Counts.of(x, owner) for x in (pairs, units, labels))
    plug_in, jackknife = _table_estimates(joint, unit, label, owner)
    entropy = np.log(len(owner)) - label.sums(owner)[0] / len(owner)
    bits = np.log(2.0)
    return Information(
        sums=_held_out(joint, unit, label, owner) / bits,
        counts=lengths,
        jackknife=float(jackknife / bits),
        plug_in=float(plug_in / bits),
        entropy=float(entropy / bits),
    )


@dataclass(frozen=True)
class _Counts:
    """Frames that have the value of each frame, both (N,).

    Attributes:
        own: In the same utterance.
        rest: In all other utterances.
    """

    own: np.ndarray
    rest: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, owner: np.ndarray) -> _Counts:
        own = _repeats(values.astype(np.int64) * (owner.max() + 1) + owner)
        return cls(own, _repeats(values) - own)

    def sums(self, owner: np.ndarray) -> tuple[float, np.ndarray]:
        """sum n log n of all values' counts n, and (U,) the same without each owner."""
        total = self.own + self.rest
        whole = float(np.log(total).sum())
        change = xlogy(self.rest, self.rest) - xlogy(total, total)
        return whole, whole + np.bincount(owner, change / self.own)


def _repeats(values: np.ndarray) -> np.ndarray:
    """How often each value (N,) is found among all."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return counts[places]


def _table_estimates(joint, unit, label, owner) -> tuple[float, float]:
    """Plug-in and jackknife (nats).

    I = log N + 1/N (sum_cy n_cy log n_cy - sum_c n_c log n_c - sum_y n_y log n_y);
    the jackknife is U I - (U - 1) mean_u I(without u).
    """
    (both, both_less), (one, one_less), (other, other_less) = (
        counts.sums(owner) for counts in (joint, unit, label)
    )
    total, lengths = len(owner), np.bincount(owner)
    rest, number = total - lengths, len(lengths)
    plug_in = np.log(total) + (both - one - other) / total
    without = np.log(rest) + (both_less - one_less - other_less) / rest
    return plug_in, number * plug_in - (number - 1) * without.mean()


def _held_out(joint, unit, label, owner) -> np.ndarray:
    """(U,) log p(label | unit) / p(label) (nats), summed over each utterance's frames.

    Both are counted in the other utterances; p(label | unit) is drawn towards p(label)
    by as many frames as predict best, the same number for all units.
    """
    known = label.rest > 0
    together, alone, same = (x.rest[known] for x in (joint, unit, label))
    prior = same / (len(owner) - np.bincount(owner)[owner[known]])
    number = owner.max() + 1

    def score(smoothing: float) -> np.ndarray:
        drawn = (together + smoothing * prior) / (alone + smoothing)
        return np.bincount(owner[known], np.log(drawn / prior), minlength=number)

    return max((score(smoothing) for smoothing in SMOOTHING), key=np.sum)


def chance_information(
    units: np.ndarray, labels: np.ndarray, utterances: np.ndarray, seed: int = 0
) -> float:
    """The held-out estimate if units and labels are independent (bits).

    Every utterance has the labels of another one; averaged over permutations.

    Args:
        units, labels, utterances: As for ``mutual_information``; the frames of an
            utterance are neighbours.
        seed: Of the permutations.
    """
    rng = np.random.default_rng(seed)
    others = (exchange_labels(labels, utterances, rng) for _ in range(PERMUTATIONS))
    found = [mutual_information(units, own, utterances).held_out for own in others]
    return float(np.mean(found))


def exchange_labels(
    labels: np.ndarray, utterances: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Give every utterance the labels of another, cut or repeated to its length.

    Runs of equal labels are preserved, and every utterance still has one speaker.

    Args:
        labels: (N,).
        utterances: (N,); the frames of an utterance are neighbours.
        rng: Source of the permutation.
    """
    _, starts, owner, lengths = np.unique(
        utterances, return_index=True, return_inverse=True, return_counts=True
    )
    other = rng.permutation(len(starts))[owner]
    place = np.arange(len(labels)) - starts[owner]
    return labels[starts[other] + place % lengths[other]]
