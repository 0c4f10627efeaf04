"""Probes: right where classes separate, else at chance; no leak between halves."""

import warnings

import numpy as np
import pytest

from espnet_uniwav.apps.tokenizer.kmeans import kmeans
from espnet_uniwav.lab.score.bootstrap import best_difference, draw, mean_interval
from espnet_uniwav.lab.understand.layer_scores import choose_clusters
from espnet_uniwav.lab.understand.probe import chance, probe, probe_halves


def blobs(rng, labels, distance=6.0, dim=8):
    """One Gaussian per class, in directions of very different scale."""
    centres = distance * np.eye(len(np.unique(labels)), dim)
    states = centres[np.unique(labels, return_inverse=True)[1]]
    states = states + rng.standard_normal(states.shape)
    return (states * 10.0 ** np.arange(-3, dim - 3)).astype(np.float32)


def test_a_probe_parts_what_can_be_parted():
    rng = np.random.default_rng(0)
    labels = rng.choice(["AA", "B", "SIL"], 600)
    states = blobs(rng, labels)
    right = probe(states[:300], labels[:300], states[300:], labels[300:])
    assert right.mean() > 0.98


def test_the_scale_of_a_dimension_does_not_matter():
    rng = np.random.default_rng(0)
    labels = rng.choice(["AA", "B", "S", "T"], 900)
    states = blobs(rng, labels, distance=1.5)
    scaled = states * np.array([1, 1e3, 1, 1e-3, 1, 1, 1e2, 1], np.float32)
    first, second = (
        probe(x[:600], labels[:600], x[600:], labels[600:]) for x in (states, scaled)
    )
    assert 0.4 < first.mean() < 0.9
    np.testing.assert_array_equal(first, second)


def test_a_probe_of_noise_is_at_chance():
    rng = np.random.default_rng(0)
    labels = rng.choice(["AA", "B"], 4000, p=[0.7, 0.3])
    states = rng.standard_normal((4000, 6))
    right = probe(states[:2000], labels[:2000], states[2000:], labels[2000:])
    floor = chance(labels[:2000], labels[2000:])
    assert floor == np.mean(labels[2000:] == "AA")
    assert right.mean() == pytest.approx(floor, abs=0.02)


def test_unknown_and_lonely_classes_are_errors_of_the_probe_alone():
    rng = np.random.default_rng(0)
    labels = np.array(["AA"] * 50 + ["B"] * 50 + ["ZH"])
    states = blobs(rng, labels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = np.array(["AA"] * 50 + ["OY"] * 10)
        right = probe(states, labels, states[:60], expected)
    assert right[:50].all() and not right[50:].any()
    with pytest.raises(ValueError, match="at least two classes"):
        probe(states[:50], labels[:50], states, labels)


def test_halves_never_classify_what_they_were_fitted_on():
    # Utterances are separable, speakers are not: a leak would get all frames right.
    rng = np.random.default_rng(0)
    owner = np.repeat(np.arange(40), 10)
    speakers = np.array([f"s{u % 5}" for u in range(40)])[owner]
    states = 20 * rng.standard_normal((40, 60))[owner] + rng.standard_normal((400, 60))
    assert probe_halves(states, speakers, owner).mean() < 0.5
    assert probe(states, speakers, states, speakers).mean() > 0.99


def test_halves_classify_every_frame():
    rng = np.random.default_rng(0)
    owner = np.repeat(np.arange(20), 10)
    speakers = np.array([f"s{u // 5}" for u in range(20)])[owner]
    assert probe_halves(blobs(rng, speakers), speakers, owner).all()


def test_intervals_cover():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        counts = rng.integers(20, 80, size=50)
        rates = rng.beta(6, 4, size=50)
        right = rng.binomial(counts, rates)[None]
        low, high = mean_interval(right, counts, draw(50, 0, 300))
        hits += low <= 0.6 <= high
    assert 178 <= hits <= 199


def test_a_paired_difference_is_sharper_than_two_intervals():
    rng = np.random.default_rng(0)
    difficulty = rng.standard_normal(60)
    layers = np.stack([difficulty, difficulty + 0.3]) + 0.05 * rng.standard_normal(60)
    layers, other = layers[:, None], difficulty[None, None]
    difference, low, high = best_difference(layers, other, np.ones(60), draw(60))
    assert difference == pytest.approx(layers[1].mean() - other.mean())
    assert 0.25 < low < difference < high < 0.35
    assert np.diff(mean_interval(other[0], np.ones(60), draw(60))) > 0.3


def test_runs_that_differ_widen_the_interval():
    rng = np.random.default_rng(0)
    sums = np.tile(rng.standard_normal(50), (4, 1))
    equal = mean_interval(sums, np.ones(50), draw(50))
    sums = sums + np.array([[-1.5], [-0.5], [0.5], [1.5]])
    different = mean_interval(sums, np.ones(50), draw(50))
    assert np.mean(different) == pytest.approx(np.mean(equal), abs=0.05)
    # The standard deviation of a mean of four runs, drawn again.
    wider = np.sqrt(np.diff(different) ** 2 - np.diff(equal) ** 2)
    assert wider == pytest.approx(2 * 1.96 * np.sqrt(1.25 / 4), rel=0.1)
    others = np.full((1, 4, 50), -5.0)
    _, low, high = best_difference(sums[None], others, np.ones(50), draw(50))
    np.testing.assert_allclose((low - 5, high - 5), different, atol=0.1)


@pytest.mark.parametrize(
    ("frames", "clusters"),
    [(10, 2), (9600, 32), (9599, 16), (47_000, 128), (307_200, 1024), (10**7, 1024)],
)
def test_clusters_follow_the_frames(frames, clusters):
    assert choose_clusters(frames) == clusters


def test_units_are_the_clusters():
    rng = np.random.default_rng(0)
    true = np.repeat(np.arange(4), 100)
    _, units = kmeans(10 * np.eye(4, 6)[true] + rng.standard_normal((400, 6)), 4)
    assert len(set(zip(true, units))) == 4
    with pytest.raises(ValueError, match="at least 5 frames, found 4"):
        kmeans(np.zeros((4, 2)), 5)
