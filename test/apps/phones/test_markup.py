"""Pronunciations in a text, from the writing to phones and times."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pocketsphinx")
from espnet_uniwav.apps.phones.from_text import Phonemizer  # noqa: E402
from espnet_uniwav.apps.phones.markup import as_written, hide  # noqa: E402
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
        ("a {SH},'{ZH}' \"{CH}?\"", "AH_E SH_E SIL ZH_E CH_E"),
        ("a{SH}{ZH}a", "AH_E SH_E ZH_E AH_E"),
        ("{SH}; ({ZH}) - {CH}...", "SH_E SIL ZH_E SIL CH_E"),
        ("{SH} {ZH}", "SH_E ZH_E"),
        ("$5 {SH}, 2{ZH}", "F AY V_E D AA L ER Z_E SH_E SIL T UW_E ZH_E"),
    ],
)
def test_phones_are_those_given(phonemize, text, phones):
    assert phonemize(text) == ["SIL", *phones.split(), "SIL"]


@pytest.mark.parametrize(
    "text",
    ["Dr. {S M IH TH}'s 5 kg.", "[x-y](SH)/{ZH}", "a_{SH}^2", "5 [p.m.](SH) & {ZH}"],
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
        ("say {R XX EH1}", "character 8, .*'XX'"),
        ("[read](R EH1, D)", "character 10, .*'EH1,'"),
        ("$5 {EH1 7}", "character 9, .*'7'"),
    ],
)
def test_what_is_no_phone_is_placed(text, offence):
    with pytest.raises(ValueError, match=f"{offence}.*AA AE AH"):
        normalize(text)


def test_other_brackets_are_read_as_before():
    for text in ("[the page](https://x.org/a)", "a [b] c (d)", "[1](#n)", "a } b {"):
        assert "|" not in normalize(text)
    assert normalize("a {} [b]()").split() == ["a", "b", "()"]


@pytest.mark.parametrize(
    "text, read",
    [
        ("[sic](he said)", "sic he said)"),
        ("[see](below) {x}", "see below) x"),
        ('{"a": 1, "b": [2, 3]}', '"a": one, "b": two, three'),
        ("the set {A, B} or {K}", "the set A, B or K"),
        ("while (x) { wait(); }", "while (x) wait();"),
        ("{ {AY} }", "{AY|AY}"),
    ],
)
def test_what_is_no_pronunciation_is_text_with_a_warning(text, read, caplog):
    assert " ".join(normalize(text).split()) == read
    assert "read as text" in caplog.text and "character" in caplog.text


def test_braces_without_end_take_linear_time():
    for part in ("{R ", "{ a ", "[a]( ", "[a](R "):
        hide(part * 100_000)


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
