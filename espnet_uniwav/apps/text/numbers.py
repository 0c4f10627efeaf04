"""Numbers as English words. Plain ones stay digits: ``write_out`` reads them."""

from __future__ import annotations

import re

# Longer numbers are read digit by digit.
LONGEST_NUMBER = 15
NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen "
    "fourteen fifteen sixteen seventeen eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
THOUSANDS = (
    "thousand million billion trillion quadrillion quintillion sextillion septillion "
    "octillion nonillion decillion"
).split()
ORDINALS = dict(
    one="first",
    two="second",
    three="third",
    five="fifth",
    eight="eighth",
    nine="ninth",
    twelve="twelfth",
)
PARTS = {2: ("half", "halves"), 4: ("quarter", "quarters")}
ROMAN = dict(I=1, V=5, X=10, L=50, C=100)


def say_digits(number: str) -> str:
    """``"105"``: one zero five."""
    return " ".join(SMALL[int(c)] for c in number if c in "0123456789")


def say_cardinal(number: str) -> str:
    """``"1,234"``: one thousand, two hundred thirty-four."""
    digits = number.replace(",", "")
    if len(digits) > LONGEST_NUMBER:
        return say_digits(digits)
    return say_whole(int(digits))


def say_whole(number: int, link: str = " ") -> str:
    """A whole number; ``link`` stands before what is below a hundred.

    Numbers of more than 36 digits are read digit by digit.
    """
    if number >= 1000 ** (len(THOUSANDS) + 1):
        return say_digits(str(number))
    if number < 20:
        return SMALL[number]
    if number < 100:
        tens, rest = divmod(number, 10)
        return f"{TENS[tens - 2]}-{SMALL[rest]}" if rest else TENS[tens - 2]
    power = (len(str(number)) - 1) // 3
    count, rest = divmod(number, 1000**power if power else 100)
    said = f"{say_whole(count, link)} {THOUSANDS[power - 1] if power else 'hundred'}"
    if not rest:
        return said
    return f"{said}{link if rest < 100 else ', '}{say_whole(rest, link)}"


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


def say_ordinal(number: int) -> str:
    """``21``: twenty-first."""
    head, last = re.fullmatch(r"(.*?)([a-z]+)", say_whole(number, " and ")).groups()
    ending = re.sub("y$", "ie", last) + "th"
    return head + ORDINALS.get(last, ending)


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
