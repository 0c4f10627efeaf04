"""Signs that touch letters: in addresses, in formulas, between two words."""

from __future__ import annotations

import re

from espnet_uniwav.apps.text.letters import dotted_letters
from espnet_uniwav.apps.text.written_forms import SIGNS

# With its query, without the mark that ends a sentence.
ADDRESS = (
    r"\b(?i:https?|ftp)://[^\s,;!\"<>]*[^\s,;!?\"<>.:)']"
    r"|\bwww(?:\.[\w-]+)+(?:[/?#][^\s,;!\"<>]*[\w/])?"
    r"|\b[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+"
)
ADDRESS_SIGNS = {".": "dot", "@": "at", "/": "slash", "-": "dash"}
ADDRESS_SIGNS |= {"=": "equals", "&": "and"}
# Letters with points, such as U.S; or signs.
BETWEEN_WORDS = (
    r"((?<![\w.])(?:[Pp]h|[A-Za-z])(?:\.[A-Za-z])+(?!\w))|(?<=\w)[^\w\s]+(?=\w)"
)


def say_address(match: re.Match) -> str:
    """``www.a.com/b?c=d``: w w w dot a dot com slash b, c equals d."""
    said = re.sub(r"^\w+://|/$|%[\dA-Fa-f]{2}", " ", match[0])
    said = said.replace("www.", "w w w dot ").replace("?", ", ")
    for sign, word in ADDRESS_SIGNS.items():
        said = said.replace(sign, f" {word} ")
    return re.sub(r"[^\w\s,]|_", " ", said).strip()


def say_sign(match: re.Match) -> str:
    """``+`` between words or numbers: plus."""
    return f" {SIGNS[match[1]]} "


def part_words(match: re.Match) -> str:
    """Signs between two words without a blank: kept, or a point, a pause, a blank."""
    if match[1]:
        return dotted_letters(match)
    start, end = match.span()
    before, after = match.string[max(start - 2, 0) : start], match.string[end : end + 2]
    signs = match[0]
    if signs == ".":
        return _point(before, after)
    if signs in ("'", "-", ".-") or (signs == ".'" and re.fullmatch(r"s\W?", after)):
        return signs[-1]
    if re.fullmatch(r"\.+[\"'()\[\]]*", signs):
        return ". "
    return ", " if re.search("[?!;:,\u2013\u2014]|--", signs) else " "


def _point(before: str, after: str) -> str:
    """A point between two words, of which two letters are given."""
    if re.search(r"[a-z\d]$", before) and re.match("[A-Z][a-z]", after):
        return ". "
    if after[0].isdigit():
        return "." if before[-1].isdigit() else " "
    long = [re.fullmatch(r"\w\w", side) is not None for side in (before, after)]
    host = any(long) and after[0].islower() and not before[-1].isdigit()
    return " dot " if all(long) or host else " "
