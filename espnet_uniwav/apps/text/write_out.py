"""Titles and plain numbers as words: the last of the rules, after Keith Ito's cleaners.

https://github.com/keithito/tacotron, by which ESPnet's English recipes read, too.
"""

from __future__ import annotations

import re

from espnet_uniwav.apps.text.numbers import say_ordinal, say_whole

TITLES = dict(
    mrs="misess",
    mr="mister",
    dr="doctor",
    st="saint",
    co="company",
    jr="junior",
    maj="major",
    gen="general",
    drs="doctors",
    rev="reverend",
    lt="lieutenant",
    hon="honorable",
    sgt="sergeant",
    capt="captain",
    esq="esquire",
    ltd="limited",
    col="colonel",
    ft="fort",
)


def write_out(text: str) -> str:
    """Write the titles and numbers of an English text as words."""
    for pattern, read in RULES:
        text = pattern.sub(read, text)
    return text


def _dollars(match: re.Match) -> str:
    amount, *parts = match[1].split(".")
    if len(parts) > 1:
        return f"{match[1]} dollars"
    dollars, cents = int(amount or 0), int(parts[0] or 0) if parts else 0
    said = [f"{dollars} dollar{'s' if dollars != 1 else ''}"] if dollars else []
    said += [f"{cents} cent{'s' if cents != 1 else ''}"] if cents else []
    return ", ".join(said) or "zero dollars"


def _number(match: re.Match) -> str:
    """``"1905"``: nineteen oh five, as a year; other numbers as they are."""
    number = int(match[0])
    century, rest = divmod(number, 100)
    if not 1000 < number < 3000 or number == 2000 or 2000 < number < 2010:
        return say_whole(number)
    if not rest:
        return f"{say_whole(century)} hundred"
    return f"{say_whole(century)} {'oh ' if rest < 10 else ''}{say_whole(rest)}"


RULES = [
    *((re.compile(rf"\b{own}\.", re.I), read) for own, read in TITLES.items()),
    (re.compile("[0-9][0-9,]+[0-9]"), lambda match: match[0].replace(",", "")),
    (re.compile("\u00a3([0-9,]*[0-9]+)"), r"\1 pounds"),
    (re.compile(r"\$([0-9.,]*[0-9]+)"), _dollars),
    (re.compile(r"([0-9]+)\.([0-9]+)"), r"\1 point \2"),
    (re.compile("([0-9]+)(?:st|nd|rd|th)"), lambda match: say_ordinal(int(match[1]))),
    (re.compile("[0-9]+"), _number),
]
