"""Many processes, one of which may die."""

from __future__ import annotations

import os
from types import SimpleNamespace

from espnet_uniwav.alignment.ctm import Segment
from espnet_uniwav.alignment.folder import Alignment
from espnet_uniwav.alignment.pool import DIED, align_all


def make_aligner():
    return touchy


def touchy(utterance):
    if utterance.name == "deadly":
        os._exit(3)
    if utterance.name == "bad":
        raise ValueError("no text")
    if utterance.name == "odd":
        raise KeyError("x")
    return Alignment([Segment(0.0, 1.0, utterance.name)], [])


def test_one_bad_file_costs_no_other():
    names = ["a", "b", "bad", "deadly", "odd", *(f"u{i}" for i in range(12))]
    utterances = [SimpleNamespace(name=name) for name in names]
    results = dict(align_all(make_aligner, utterances, 2))
    assert set(results) == set(names)
    assert results["bad"] == "no text"
    assert results["odd"] == "KeyError: 'x'"
    assert results["deadly"] == DIED
    good = {name for name, r in results.items() if isinstance(r, Alignment)}
    assert good == set(names) - {"bad", "odd", "deadly"}
    assert results["u7"].units[0].label == "u7"
