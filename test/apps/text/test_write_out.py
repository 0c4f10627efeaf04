"""Numbers are read as by inflect, and titles as by Keith Ito's cleaners."""

import random

import pytest

from espnet_uniwav.apps.text.numbers import say_cardinal, say_ordinal
from espnet_uniwav.apps.text.write_out import write_out

PIECES = (
    "1 25 1905 2000 2005 1,234 12, $ \u00a3 . 0 st nd th rd Dr. mrs. Co. ft. a R2 3.14 "
    "007 12345678901234567890 5,000,000 - x $2.50 $1.2.3"
).split() + [" ", " "]


@pytest.mark.parametrize(
    "text, said",
    [
        ("12,345", "twelve thousand, three hundred forty-five"),
        ("Dr. No, 1905", "doctor No, nineteen oh five"),
        ("the 121st", "the one hundred and twenty-first"),
        ("$1.01, \u00a35", "one dollar, one cent, five pounds"),
        ("2007 to 2010", "two thousand seven to twenty ten"),
        ("1" * 37, " ".join(["one"] * 37)),
    ],
)
def test_what_is_said(text, said):
    assert write_out(text) == said


def test_numbers_are_those_of_inflect():
    engine = pytest.importorskip("inflect").engine()
    draw = random.Random(0)
    drawn = (draw.randrange(10 ** draw.randint(1, 15)) for _ in range(500))
    for number in [*range(1200), *drawn]:
        expected = engine.number_to_words(number, andword="")
        assert say_cardinal(str(number)) == expected
        expected = engine.number_to_words(engine.ordinal(number))
        assert say_ordinal(number) == expected


def test_texts_are_read_as_by_the_cleaners():
    cleaners = pytest.importorskip("tacotron_cleaner.cleaners")
    expand = pytest.importorskip("g2p_en.expand").normalize_numbers
    draw = random.Random(0)
    for _ in range(2000):
        text = "".join(draw.choices(PIECES, k=draw.randint(1, 8)))
        try:
            expected = expand(cleaners.expand_abbreviations(text))
        except Exception:  # such as of "$,5"
            continue
        assert write_out(text) == expected
