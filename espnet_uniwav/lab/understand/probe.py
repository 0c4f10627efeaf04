"""Linear probe of single frames.

Linear discriminant analysis with the shrinkage of Ledoit and Wolf. It has a closed form
and no setting to tune, so differences between layers do not depend on how well a
classifier was trained.
"""

from __future__ import annotations

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def probe(
    fit_states: np.ndarray,
    fit_labels: np.ndarray,
    states: np.ndarray,
    labels: np.ndarray,
) -> np.ndarray:
    """Fit a probe on some frames and classify others.

    Args:
        fit_states: (M, D).
        fit_labels: (M,) str; classes of a single frame are left out.
        states: (N, D) of other utterances.
        labels: (N,) str.

    Returns:
        (N,) bool, True where the label was found.

    Raises:
        ValueError: If the fit frames hold fewer than two such classes.
    """
    classes, places, counts = np.unique(
        fit_labels, return_inverse=True, return_counts=True
    )
    if (counts > 1).sum() < 2:
        raise ValueError(
            "probe: expected at least two classes with several frames, found "
            f"{list(classes[counts > 1])}; use more utterances"
        )
    usable = counts[places] > 1
    discriminant = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    classifier = make_pipeline(StandardScaler(), discriminant)
    classifier.fit(fit_states[usable].astype(np.float64), fit_labels[usable])
    return classifier.predict(states) == labels


def probe_halves(
    states: np.ndarray, labels: np.ndarray, utterances: np.ndarray, seed: int = 0
) -> np.ndarray:
    """Fit on one half of the utterances of each class, classify the other, and swap.

    Args:
        states: (N, D).
        labels: (N,) str, one per utterance.
        utterances: (N,) utterance of each frame.
        seed: Of the halves.

    Returns:
        (N,) bool, True where the label was found.
    """
    names, first = np.unique(utterances, return_index=True)
    right = np.zeros(len(labels), bool)
    halves = StratifiedKFold(2, shuffle=True, random_state=seed)
    for fit, test in halves.split(names, labels[first]):
        fit, test = np.isin(utterances, names[fit]), np.isin(utterances, names[test])
        right[test] = probe(states[fit], labels[fit], states[test], labels[test])
    return right


def chance(fit_labels: np.ndarray, labels: np.ndarray) -> float:
    """Accuracy of always predicting the most frequent class of the fit frames."""
    classes, counts = np.unique(fit_labels, return_counts=True)
    return float((labels == classes[counts.argmax()]).mean())
