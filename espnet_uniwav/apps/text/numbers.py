"""Numbers as English words. Plain ones stay digits: ``write_out`` reads them."""

from __future__ import annotations

import functools
import re

# Longer numbers are read digit by digit.
LONGEST_NUMBER = 15
NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
PARTS = {2: ("half", "halves"), 4: ("quarter", "quarters")}
ROMAN = dict(I=1, V=5, X=10, L=50, C=100)
DIGITS = "zero one two three four five six seven eight nine".split()


def say_digits(number: str) -> str:
    """``"105"``: one zero five."""
    return " ".join(DIGITS[int(c)] for c in number if c in "0123456789")


@functools.lru_cache(maxsize=2**14)
def say_cardinal(number: str) -> str:
    """``"1,234"``: one thousand, two hundred thirty-four."""
    digits = number.replace(",", "")
    if len(digits) > LONGEST_NUMBER:
        return say_digits(digits)
    return _engine().number_to_words(int(digits), andword="")


def say_decimal(number: str) -> str:
    """``"3.14"``: 3 point one four; a number without a point stays digits.

    With commas between thousands it becomes a cardinal, so that it is not read as a
    year.
    """
    whole, point, rest = number.partition(".")
    first = (
        say_cardinal(whole) if "," in whole or len(whole) > LONGEST_NUMBER else whole
    )
    return f"{first or 'zero'} point {say_digits(rest)}" if point else first


@functools.lru_cache(maxsize=2**14)
def say_ordinal(number: int) -> str:
    """``21``: twenty-first."""
    return _engine().number_to_words(_engine().ordinal(number))


def say_fraction(upper: int, lower: int) -> str:
    """``3, 4``: three quarters."""
    if lower in PARTS:
        one, more = PARTS[lower]
    else:
        one = say_ordinal(lower)
        more = f"{one}s"
    return f"{say_cardinal(str(upper))} {one if upper == 1 else more}"


def say_decade(year: str) -> str:
    """``"1990"``: nineteen nineties; ``"80"``: eighties."""
    century, tens = year[:-2], int(year[-2:])
    if not tens:
        return f"{say_cardinal(century)} hundreds" if century else "hundreds"
    plural = say_cardinal(str(tens)).removesuffix("y") + "ies"
    plural = "tens" if tens == 10 else plural
    return f"{say_cardinal(century)} {plural}" if century else plural


def roman(number: str) -> int | None:
    """``"XIV"``: 14; None for what is no Roman number up to 89."""
    if not re.fullmatch(r"(?:XL|L?X{0,3})(?:IX|IV|V?I{0,3})", number) or not number:
        return None
    values = [ROMAN[letter] for letter in number]
    return sum(
        -value if value < max(values[i:]) else value for i, value in enumerate(values)
    )


@functools.lru_cache(maxsize=None)
def _engine():
    import inflect

    return inflect.engine()
