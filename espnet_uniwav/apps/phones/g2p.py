"""Spelling to phones: g2p_en's network, a dependency of ESPnet, used offline."""

from __future__ import annotations

import functools
import re
from types import SimpleNamespace

from espnet_uniwav.apps.phones.lexicon import strip_stress

NUMBERS = re.compile(r"(?<!\S)\S*\d\S*")


def spell(word: str) -> list[str]:
    """Guess the phones (ARPAbet, no stress) of a lower-case word of letters."""
    return [strip_stress(phone) for phone in _network().predict(word)]


def write_out(text: str) -> str:
    """Write the titles and numbers of an English text as words."""
    from tacotron_cleaner.cleaners import expand_abbreviations

    return NUMBERS.sub(lambda m: _numbers(m[0]), expand_abbreviations(text))


@functools.lru_cache(maxsize=2**14)
def _numbers(token: str) -> str:
    """A token with digits as words; kept, because the library is slow."""
    _import()
    from g2p_en.expand import normalize_numbers

    return normalize_numbers(token)


@functools.lru_cache(maxsize=None)
def _network():
    """The network alone, because ``G2p`` of g2p_en downloads a tagger and CMUdict."""
    g2p = _import()
    dictionary, g2p.cmudict = g2p.cmudict, SimpleNamespace(dict=dict)
    try:
        return g2p.G2p()
    finally:
        g2p.cmudict = dictionary


def _import():
    """The module g2p_en.g2p, without the downloads of its import."""
    import nltk

    download, nltk.download = nltk.download, lambda *args, **kwargs: False
    try:
        from g2p_en import g2p
    finally:
        nltk.download = download
    return g2p
