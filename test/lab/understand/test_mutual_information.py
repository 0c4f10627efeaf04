"""Mutual information: closed forms, no bias where there is nothing, coverage."""

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from espnet_uniwav.lab.score.bootstrap import draw, mean_interval
from espnet_uniwav.lab.understand.mutual_information import (
    SMOOTHING,
    chance_information,
    exchange_labels,
    mutual_information,
)


def repeat_joint(joint: np.ndarray, utterances: int = 5):
    """Frames whose table of counts is ``joint`` in every utterance."""
    unit, label = np.divmod(np.arange(joint.size), joint.shape[1])
    unit, label = (np.repeat(k, joint.ravel()) for k in (unit, label))
    owner = np.repeat(np.arange(utterances), len(unit))
    return np.tile(unit, utterances), np.tile(label, utterances), owner


def random_joint(concentration: float, units=16, labels=8) -> np.ndarray:
    """Probabilities (units, labels); a large concentration is near independence."""
    rng = np.random.default_rng(5)
    of_label = rng.dirichlet(np.full(units, concentration), size=labels)
    return of_label.T / labels


def information_of(joint: np.ndarray) -> float:
    """I(unit; label) of known probabilities (bits)."""
    independent = np.outer(joint.sum(1), joint.sum(0))
    return float((joint * np.log2(joint / independent)).sum())


def speak(seed, joint, utterances=60, runs=25, repeat=6):
    """Runs of equal frames, each run drawn from known probabilities."""
    rng = np.random.default_rng(seed)
    drawn = rng.choice(joint.size, p=joint.ravel(), size=utterances * runs)
    unit, label = np.divmod(np.repeat(drawn, repeat), joint.shape[1])
    return unit, label, np.repeat(np.arange(utterances), runs * repeat)


def test_known_tables():
    # Two independent fair bits; one bit known; a noisy channel of error 1/4.
    for joint, bits in (
        ([[2, 2], [2, 2]], 0.0),
        ([[4, 0], [0, 4]], 1.0),
        ([[3, 1], [1, 3]], 1 + 0.75 * np.log2(0.75) + 0.25 * np.log2(0.25)),
    ):
        found = mutual_information(*repeat_joint(100 * np.array(joint)))
        # Equal utterances: without any of them the table is the same.
        assert found.plug_in == pytest.approx(bits, abs=1e-12)
        assert found.jackknife == pytest.approx(bits, abs=1e-9)
        assert found.held_out == pytest.approx(bits, abs=1e-3)
        assert found.entropy == pytest.approx(1.0)


def test_jackknife_leaves_one_utterance_out():
    units, labels, owner = speak(0, random_joint(1.0), utterances=7)
    found = mutual_information(units, labels, owner)
    whole = mutual_info_score(units, labels) / np.log(2)
    without = [
        mutual_info_score(units[owner != u], labels[owner != u]) / np.log(2)
        for u in range(7)
    ]
    assert found.plug_in == pytest.approx(whole)
    assert found.jackknife == pytest.approx(7 * whole - 6 * np.mean(without))


def test_held_out_counts_in_the_other_utterances():
    units, labels, owner = speak(0, random_joint(1.0), utterances=5)
    # A label that only one utterance has: nothing can be known of it.
    labels[(owner == 1) & (labels == 7)] = 8
    found = mutual_information(units, labels, owner)
    best = None
    for smoothing in SMOOTHING:
        sums = np.zeros(5)
        for u, unit, label in zip(owner, units, labels):
            rest = owner != u
            prior = np.mean(labels[rest] == label)
            together = np.sum((units == unit) & (labels == label) & rest)
            alone = np.sum((units == unit) & rest)
            if prior > 0:
                drawn = (together + smoothing * prior) / (alone + smoothing)
                sums[u] += np.log2(drawn / prior)
        best = sums if best is None or sums.sum() > best.sum() else best
    np.testing.assert_allclose(found.sums, best)
    assert found.counts.tolist() == [150] * 5


def test_names_of_units_labels_and_utterances_do_not_matter():
    units, labels, owner = speak(1, random_joint(1.0))
    found = mutual_information(units, labels, owner)
    order = np.random.default_rng(0).permutation(16)
    other = mutual_information(order[units], 7 - labels, 3 * owner + 5)
    np.testing.assert_allclose(other.sums, found.sums)
    assert other.jackknife == pytest.approx(found.jackknife)


def test_nothing_is_found_where_there_is_nothing():
    joint = np.full((16, 8), 1 / 128)
    found = [mutual_information(*speak(seed, joint)) for seed in range(40)]
    plug_in = np.mean([f.plug_in for f in found])
    jackknife = np.array([f.jackknife for f in found])
    held_out = np.array([f.held_out for f in found])
    # (16 - 1) (8 - 1) / 2 nats per independent draw; a run of frames is one.
    assert plug_in == pytest.approx(105 / 2 / 1500 / np.log(2), rel=0.1)
    assert abs(jackknife.mean()) < 0.1 * plug_in
    assert 0.2 < np.mean(jackknife < 0) < 0.8
    assert abs(held_out).max() < 0.1 * plug_in


def test_the_truth_lies_between_and_the_jackknife_is_nearly_right():
    joint = random_joint(1.0)
    truth = information_of(joint)
    found = [
        mutual_information(*speak(seed, joint, utterances=40)) for seed in range(100)
    ]
    plug_in, jackknife, held_out = (
        np.mean([getattr(f, name) for f in found])
        for name in ("plug_in", "jackknife", "held_out")
    )
    assert truth - 0.1 < held_out < truth - 0.02
    assert truth + 0.05 < plug_in < truth + 0.2
    assert abs(jackknife - truth) < 0.1 * (plug_in - truth)
    much = mutual_information(*speak(0, joint, utterances=2000)).held_out
    assert much == pytest.approx(truth, abs=0.015)


def test_the_interval_covers():
    joint, draws = random_joint(1.0), draw(40, resamples=400)
    found = [
        mutual_information(*speak(seed, joint, utterances=40)) for seed in range(100)
    ]
    expected = np.mean([f.held_out for f in found])
    intervals = [mean_interval(f.sums[None], f.counts, draws) for f in found]
    hits = sum(low <= expected <= high for low, high in intervals)
    assert 88 <= hits <= 99


def test_a_unit_of_its_own_for_each_utterance_tells_nothing():
    # What the table of counts cannot see: the speaker is known by the utterance alone.
    owner = np.repeat(np.arange(40), 20)
    found = mutual_information(owner, owner // 4, owner)
    assert found.plug_in == pytest.approx(np.log2(10))
    assert found.held_out == 0.0


def test_tastes_of_utterances_are_no_speakers():
    # Four utterances of each speaker, each with a label distribution of its own.
    rng = np.random.default_rng(0)
    tastes = rng.dirichlet(np.ones(32), size=80)
    units = np.concatenate([rng.choice(32, p=taste, size=200) for taste in tastes])
    owner = np.repeat(np.arange(80), 200)
    found = mutual_information(units, owner // 4, owner)
    assert found.plug_in > 0.15
    assert abs(found.held_out) < 0.01
    assert abs(chance_information(units, owner // 4, owner)) < 0.01


def test_exchanged_labels_stay_whole():
    owner = np.repeat(np.arange(4), (2, 3, 4, 5))
    labels = np.array([10, 11, 20, 21, 22, 30, 31, 32, 33, 40, 41, 42, 43, 44])
    rng = np.random.default_rng(3)
    exchanged = [exchange_labels(labels, owner, rng) for _ in range(8)]
    sources = set()
    for others in exchanged:
        tens = [set(others[owner == u] // 10) for u in range(4)]
        assert all(len(t) == 1 for t in tens)
        sources.add(tuple(t.pop() for t in tens))
        assert others[0] % 10 == 0 and others[1] % 10 == 1
    assert len(sources) > 3
    assert all(len(set(s)) == 4 for s in sources)


def test_one_utterance_is_not_enough():
    with pytest.raises(ValueError, match="at least two utterances, found 1"):
        mutual_information(*repeat_joint(np.eye(2, dtype=int), utterances=1))
