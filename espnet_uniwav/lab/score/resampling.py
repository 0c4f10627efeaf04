"""Bootstrap intervals over utterances and repeated runs."""

from __future__ import annotations

import numpy as np

RESAMPLES = 2000
PERCENTILES = (2.5, 97.5)


def draw(num_utterances: int, seed: int = 0, resamples: int = RESAMPLES) -> np.ndarray:
    """Count each utterance in each bootstrap resample.

    Returns:
        (N, num_utterances) counts of N resamples; one set of draws for all systems
        pairs them.
    """
    return _draw_again((resamples,), num_utterances, seed)


def interval(
    sums: np.ndarray, counts: np.ndarray, draws: np.ndarray
) -> tuple[float, float]:
    """95 % interval of sum(sums) / sum(counts), averaged over runs.

    Args:
        sums: (R, U) total of each run and utterance.
        counts: (U,) weight per utterance.
        draws: (N, U) from ``draw``.
    """
    low, high = np.percentile(_rates(sums[None], counts, draws, 0), PERCENTILES)
    return float(low), float(high)


def best_difference(
    sums: np.ndarray, others: np.ndarray, counts: np.ndarray, draws: np.ndarray
) -> tuple[float, float, float]:
    """Difference of the best rates of two groups, on the same utterances.

    The best is chosen again in every draw, so the interval includes the choice.

    Args:
        sums: (L, R, U) totals per layer, run and utterance.
        others: (M, R, U) totals of the other group.
        counts: (U,) weight per utterance.
        draws: (N, U) from ``draw``.

    Returns:
        The difference, and its 95 % interval.
    """
    difference = np.subtract(
        *(s.mean(axis=1).sum(axis=1).max() / counts.sum() for s in (sums, others))
    )
    differences = np.subtract(
        *(
            _rates(s, counts, draws, seed).max(axis=1)
            for seed, s in enumerate((sums, others))
        )
    )
    low, high = np.percentile(differences, PERCENTILES)
    return float(difference), float(low), float(high)


def _rates(
    sums: np.ndarray, counts: np.ndarray, draws: np.ndarray, seed: int
) -> np.ndarray:
    """(N, L) rates of each draw; runs are drawn again for each layer by itself."""
    layers, runs, _ = sums.shape
    totals = np.einsum("nu,lru->nlr", draws, sums, optimize=True)
    chosen = _draw_again((len(draws), layers), runs, seed) / runs
    return (totals * chosen).sum(axis=2) / np.maximum(draws @ counts, 1e-12)[:, None]


def _draw_again(size: tuple, number: int, seed: int) -> np.ndarray:
    shares = np.full(number, 1.0 / number)
    return np.random.default_rng(seed).multinomial(number, shares, size=size)
