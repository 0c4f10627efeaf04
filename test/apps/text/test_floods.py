"""Hostile texts take a time in proportion to their length."""

import time

import pytest

from espnet_uniwav.apps.phones.from_text import PAUSES
from espnet_uniwav.apps.phones.lexicon import tokenize
from espnet_uniwav.apps.text.characters import check_english
from espnet_uniwav.apps.text.normalizer import normalize
from espnet_uniwav.apps.tts.sentences import split_sentences

CHARACTERS = 3000
LONG = " " * 999
FLOODS = ["A. ", "a.b. ", "Hi. ", ". ", "... ", "e.g. ", "etc. ", "5 kg. ", "5 p.m. "]
FLOODS += ["1 ", "1, ", "5/", "1-", "555 123 ", "+1 2 ", "$ ", "$1 ", "$1 - ", "5 - "]
FLOODS += ["- ", "-1 ", "a -", '" ', "(", "' ", "& ", "_", "a@", "x.org ", "www."]
FLOODS += [" ", "\n", f"a{LONG}", f"St.{LONG}", f"- {LONG}", "World War ", "word "]
FLOODS += ["\u00bd ", "\u2026 ", "\u0301", "Jan. ", "1.5M ", "AT&T "]


def flood(unit: str, size: int) -> str:
    """A text of one thing, with a blank after 400 characters without one."""
    if len(unit.split()) == 1 and unit.strip() == unit:
        unit = unit * (400 // len(unit)) + " "
    return unit * (size // len(unit))


def read(text: str) -> None:
    """All that is done to a text before it is spoken."""
    said = normalize(text)
    split_sentences(said)
    for own in (text, said):
        PAUSES.split(own)
        tokenize(own)


def seconds(work, text: str) -> float:
    """Processor seconds, not those of the clock."""
    start = time.process_time()
    work(text)
    return time.process_time() - start


def check(work, make) -> None:
    """Four times the text takes 4 times as long if linear, 16 times if quadratic."""
    for _ in range(3):
        few, many = (seconds(work, make(n * CHARACTERS)) for n in (1, 4))
        if many < 9 * few + 0.05:
            return
    raise AssertionError(f"{few:.2f} s, and {many:.2f} s for four times the text")


@pytest.mark.parametrize("unit", FLOODS, ids=lambda unit: repr(unit[:6]))
def test_a_flood_is_linear(unit):
    check(read, lambda size: flood(unit, size))


def test_a_long_word_is_refused_in_linear_time():
    def refuse(text):
        with pytest.raises(ValueError, match="characters: expected words"):
            check_english(text)

    for unit in ("a", "-a", "."):
        check(refuse, lambda size: "b " + unit * size)
    check(check_english, lambda size: ("a-" * 250 + " ") * (size // 500))
