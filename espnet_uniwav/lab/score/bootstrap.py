"""Rates and means with bootstrap intervals over utterances, speakers and runs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

RESAMPLES = 2000


class Estimate(NamedTuple):
    """A value and its 95 % interval; a format such as ``.1f`` applies to all three."""

    value: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        return f"{self.value:{spec}} ({self.low:{spec}} to {self.high:{spec}})"

    def __truediv__(self, scale: float) -> Estimate:
        return Estimate(*(own / scale for own in self))


def percentiles(resampled: np.ndarray) -> tuple[float, float]:
    """The 2.5th and the 97.5th percentile; NaN is left out."""
    low, high = np.nanpercentile(resampled, (2.5, 97.5))
    return float(low), float(high)


def error_rate(edits, total) -> float:
    """Total edits over total units, in percent; NaN where there are no units."""
    units = float(np.sum(total))
    return 100.0 * float(np.sum(edits)) / units if units else float("nan")


def estimate_rate(edits, total, resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """An error rate (percent), utterances drawn again for its interval.

    If ``edits`` are the differences of two systems' edits on the same utterances, it is
    the difference of their rates. NaN without utterances.

    Args:
        edits: (N,) edits per utterance.
        total: (N,) units per utterance.
        resamples: Number of draws of N utterances with replacement.
        seed: Of the draws.
    """
    edits, total = np.asarray(edits, float), np.asarray(total, float)
    if not len(edits):
        return Estimate(*[float("nan")] * 3)
    draws = np.random.default_rng(seed).integers(
        len(edits), size=(resamples, len(edits))
    )
    rates = 100.0 * edits[draws].sum(axis=1) / total[draws].sum(axis=1).clip(min=1)
    return Estimate(error_rate(edits, total), *percentiles(rates))


def draw(num_utterances: int, seed: int = 0, resamples: int = RESAMPLES) -> np.ndarray:
    """Count each utterance in each bootstrap resample.

    Returns:
        (N, num_utterances) counts of N resamples; one set of draws for all systems
        pairs them.
    """
    return _draw((resamples,), num_utterances, seed)


def mean_interval(
    sums: np.ndarray, counts: np.ndarray, draws: np.ndarray
) -> tuple[float, float]:
    """95 % interval of sum(sums) / sum(counts), averaged over runs.

    Args:
        sums: (R, U) total of each run and utterance.
        counts: (U,) weight per utterance.
        draws: (N, U) from ``draw``.
    """
    return percentiles(_means(sums[None], counts, draws, 0))


def best_difference(
    sums: np.ndarray, others: np.ndarray, counts: np.ndarray, draws: np.ndarray
) -> Estimate:
    """Difference of the best means of two groups, on the same utterances.

    The best is chosen again in every draw, so the interval includes the choice.

    Args:
        sums: (L, R, U) totals per layer, run and utterance.
        others: (M, R, U) totals of the other group.
        counts: (U,) weight per utterance.
        draws: (N, U) from ``draw``.
    """
    groups = sums, others
    best, other = (s.mean(axis=1).sum(axis=1).max() / counts.sum() for s in groups)
    resampled, against = (
        _means(s, counts, draws, seed).max(axis=1) for seed, s in enumerate(groups)
    )
    return Estimate(float(best - other), *percentiles(resampled - against))


def _means(
    sums: np.ndarray, counts: np.ndarray, draws: np.ndarray, seed: int
) -> np.ndarray:
    """(N, L) means of each draw; runs are drawn again for each layer by itself."""
    layers, runs, _ = sums.shape
    totals = np.einsum("nu,lru->nlr", draws, sums, optimize=True)
    chosen = _draw((len(draws), layers), runs, seed) / runs
    return (totals * chosen).sum(axis=2) / np.maximum(draws @ counts, 1e-12)[:, None]


def _draw(size: tuple, number: int, seed: int) -> np.ndarray:
    shares = np.full(number, 1.0 / number)
    return np.random.default_rng(seed).multinomial(number, shares, size=size)
