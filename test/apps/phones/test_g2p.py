"""Guessed phones are those of g2p_en, without its import."""

import random
from types import SimpleNamespace

import pytest

from espnet_uniwav.apps.phones.g2p import PHONES, spell
from espnet_uniwav.apps.phones.lexicon import strip_stress

LETTERS = "abcdefghijklmnopqrstuvwxyzaeioutrnsl"


def test_words_are_those_of_the_package(monkeypatch):
    import nltk

    monkeypatch.setattr(nltk, "download", lambda *args, **kwargs: False)
    g2p = pytest.importorskip("g2p_en.g2p")
    monkeypatch.setattr(g2p, "cmudict", SimpleNamespace(dict=dict))
    theirs, draw = g2p.G2p(), random.Random(0)
    assert theirs.phonemes == PHONES
    for _ in range(100):
        word = "".join(draw.choices(LETTERS, k=draw.randint(1, 14)))
        assert spell(word) == [strip_stress(own) for own in theirs.predict(word)]
