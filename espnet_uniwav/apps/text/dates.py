"""Dates and times as they are read; years and hours stay digits, for ``write_out``."""

from __future__ import annotations

import re

from espnet_uniwav.apps.text.numbers import say_ordinal
from espnet_uniwav.apps.text.written_forms import MONTHS
from espnet_uniwav.apps.tts.sentences import ends_sentence


def _day(month: str, day: str, year: str | None = None) -> str | None:
    """``"1", "5", "1999"``: January 5th, 1999; None if there is no such day."""
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return None
    name = list(MONTHS.values())[int(month) - 1]
    return f"{name} {say_ordinal(int(day))}" + (f", {year}" if year else "")


def iso_date(match: re.Match) -> str:
    """2021-03-04: March fourth, 2021."""
    return _day(match[2], match[3], match[1]) or match[0]


def us_date(match: re.Match) -> str:
    """3/4/2021: March fourth, 2021."""
    return _day(match[1], match[3], match[4]) or match[0]


def month_day(match: re.Match) -> str:
    """Jan. 5: January fifth."""
    if not 1 <= int(match[2]) <= 31:
        return match[0]
    return f"{MONTHS.get(match[1], match[1])} {say_ordinal(int(match[2]))}"


def day_month(match: re.Match) -> str:
    """5 Jan.: the fifth of January."""
    if not 1 <= int(match[1]) <= 31:
        return match[0]
    return f"the {say_ordinal(int(match[1]))} of {MONTHS.get(match[2], match[2])}"


def clock_time(match: re.Match) -> str:
    """``17:05``: seventeen oh five; ``5:00 p.m.``: five P.M."""
    hour, minute, second, half = match[1], int(match[2]), match[3], match[4]
    said = str(int(hour))
    if minute:
        said += f" oh {minute}" if minute < 10 else f" {minute}"
    elif not half:
        said += " o'clock" if 1 <= int(hour) <= 12 else " hundred"
    if second:
        said += f" and {int(second)} seconds"
    return said + (_half(half, match) if half else "")


def full_hour(match: re.Match) -> str:
    """5 p.m.: 5 P.M."""
    return match[1] + _half(match[2], match)


def _half(half: str, match: re.Match) -> str:
    """A.M. or P.M.; its point stays where a sentence ends."""
    ends = half.endswith(".") and ends_sentence(match)
    return f" {half[0].upper()}.M" + ("." if ends else "")
