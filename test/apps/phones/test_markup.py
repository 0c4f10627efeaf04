"""Pronunciations in a text, from the writing to phones and times."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pocketsphinx")
from espnet_uniwav.apps.phones.from_text import Phonemizer  # noqa: E402
from espnet_uniwav.apps.phones.markup import as_written  # noqa: E402
from espnet_uniwav.apps.text.normalizer import normalize  # noqa: E402
from espnet_uniwav.apps.tts.sentences import split_sentences  # noqa: E402
from espnet_uniwav.apps.tts.times import SpokenSentence, segments  # noqa: E402


@pytest.fixture(scope="module")
def phonemize():
    return Phonemizer()


@pytest.mark.parametrize(
    "text, phones",
    [
        ("{R EH1 D}", "R EH D_E"),
        ("{ r eh\td }", "R EH D_E"),
        ("[read](R EH1 D)", "R EH D_E"),
        ("[New York](n uw y ao1 r k)", "N UW Y AO R K_E"),
        ("[Tolkien](T OW1 L K IY0 N)'s", "T OW L K IY N Z_E"),
        ("well-{B EH D}", "W EH L B EH D_E"),
        ("a {B},'{D}' \"{K}?\"", "AH_E B_E SIL D_E K_E"),
        ("a{B}{D}a", "AH_E B_E D_E AH_E"),
        ("{B}; ({D}) - {K}...", "B_E SIL D_E SIL K_E"),
        ("{B} {D}", "B_E D_E"),
        ("$5 {B}, 2{D}", "F AY V_E D AA L ER Z_E B_E SIL T UW_E D_E"),
    ],
)
def test_phones_are_those_given(phonemize, text, phones):
    assert phonemize(text) == ["SIL", *phones.split(), "SIL"]


@pytest.mark.parametrize(
    "text",
    ["Dr. {S M IH TH}'s 5 kg.", "[x-y](B)/{D}", "a_{B}^2", "5 [p.m.](B) & {D}"],
)
def test_reading_twice_changes_nothing(text):
    read = normalize(text)
    assert normalize(read) == read and "|" in read


def test_sentences_are_split_beside_pronunciations_alone():
    text = normalize("One [read.](R EH D) book. {T UW}! " + "{B AA} " * 30)
    parts = split_sentences(text, max_characters=60)
    assert parts[:1] == ["One {read|R_EH_D} book."] and parts[1].startswith("{T_UW|")
    assert all(part.count("{") == part.count("}") for part in parts)


@pytest.mark.parametrize(
    "text, offence",
    [
        ("say {R XX D}", "character 8, .*'XX'"),
        ("[read](R EH1, D)", "character 10, .*'EH1,'"),
        ("a {}", "character 3: .*{}"),
        ("$5 {R 7}", "character 7, .*'7'"),
    ],
)
def test_what_is_no_phone_is_placed(text, offence):
    with pytest.raises(ValueError, match=offence) as error:
        normalize(text)
    assert offence.startswith("character 3:") or "AA AE AH" in str(error.value)


def test_other_brackets_are_read_as_before():
    for text in ("[the page](https://x.org/a)", "a [b] c (d)", "[1](#n)", "a } b {"):
        assert "|" not in normalize(text)


def test_money_is_placed_behind_a_pronunciation():
    with pytest.raises(ValueError, match="at character 11, in '{R EH1} = [$]1,00'"):
        normalize("{R EH1} = $1,00")


def test_words_of_the_times(phonemize):
    text = normalize("[New York](N UW Y AO R K)'s {B AA}, two")
    tokens = phonemize.phones(text)
    times = segments(tokens, [1] * len(tokens), 0.0, 10)
    spoken = SpokenSentence(text, times, np.zeros(9))
    assert [own.label for own in spoken.words] == ["new_york's", "b_aa", "two"]
    assert as_written(text) == "New_York's B_AA, two"
