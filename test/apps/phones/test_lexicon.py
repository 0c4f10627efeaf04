"""Pronunciations: dictionary, hyphens, possessives, spelling."""

import pytest

from espnet_uniwav.apps.phones.g2p import spell
from espnet_uniwav.apps.phones.lexicon import (
    ARPABET,
    add_s,
    pronounce,
    read_dictionary,
    strip_stress,
    tokenize,
)

WORDS = {"well": "W EH L", "known": "N OW N", "'tis": "T IH Z", "don't": "D OW N T"}
WORDS["a.m."] = "EY EH M"


def lookup(word):
    return WORDS[word].split() if word in WORDS else None


def letters(word):
    return list(word.upper())


@pytest.mark.parametrize(
    "word, phones",
    [
        ("don't", "D OW N T"),
        ("'tis", "T IH Z"),
        ("'well'", "W EH L"),
        ("a.m", "EY EH M"),
        ("well-known", "W EH L N OW N"),
        ("well-bred", "W EH L B R E D"),
        ("well's", "W EH L Z"),
        ("ab's", "A B Z"),
        ("on't", "O N T"),
        ("'a.m", "EY EH M"),
        ("a.m's", "EY EH M Z"),
        ("b.c", "B C"),
        ("well-b.c", "W EH L B C"),
    ],
)
def test_pronounce(word, phones):
    assert pronounce(word, lookup, letters) == phones.split()


@pytest.mark.parametrize("word", ["42", "b4", "мир", "3-d", "well's2"])
def test_what_is_no_word_is_an_error(word):
    with pytest.raises(ValueError, match="no pronunciation of .*as English words"):
        pronounce(word, lookup, letters)


def test_the_three_plurals():
    assert add_s(["K", "AE", "T"])[-1] == "S"
    assert add_s(["D", "AO", "G"])[-1] == "Z"
    assert add_s(["JH", "AO", "R", "JH"])[-2:] == ["IH", "Z"]


def test_tokens_keep_their_writing():
    text = 'Well, "DON\u2019T" - he\u00e9 said: \'tis (A) well-known... <unk> 42'
    assert tokenize(text) == [
        ("Well,", "well"),
        ('"DON\u2019T"', "don't"),
        ("he\u00e9", "hee"),
        ("said:", "said"),
        ("'tis", "'tis"),
        ("(A)", "a"),
        ("well-known...", "well-known"),
        ("42", "42"),
    ]
    assert tokenize("<unk>") == []
    quoted = "'Stop!' ('tis) '\"(so)\"' 'U.S.' dogs'. '--'"
    assert [word for _, word in tokenize(quoted)] == [
        *("'stop", "'tis", "so", "'u.s", "dogs'")
    ]


def test_only_arpabet_loses_its_stress():
    assert [strip_stress(p) for p in ("AH0", "OY2", "ZH", "X1", "b", "tʃ", "")] == [
        "AH",
        "OY",
        "ZH",
        "X1",
        "b",
        "tʃ",
        "",
    ]


def test_spelling_works_without_downloads(monkeypatch):
    import nltk

    monkeypatch.setattr(nltk, "download", lambda *a, **k: pytest.fail("download"))
    assert spell("vexation") == "V EH K S EY SH AH N".split()
    assert set(spell("zarathustra")) <= ARPABET


def test_dictionary_of_pocketsphinx():
    words = read_dictionary()
    assert len(words) > 120000
    assert words["hello"] == "HH AH L OW"
    assert not any("(" in word for word in words)
    assert {phone for own in set(words.values()) for phone in own.split()} == ARPABET
