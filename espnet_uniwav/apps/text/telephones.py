"""Telephone numbers, and others in groups, which are read digit by digit."""

from __future__ import annotations

import re

from espnet_uniwav.apps.text.numbers import say_cardinal, say_digits

GAP, DASH = "[ .\u2013-]", "[ \u2013-]"
FORMS = (
    # +44 20 7946 0958, +1 (800) 555-1234, +442079460958: eight digits or more
    r"(?<![\w)])(?=\+(?:[ .()\u2013-]{0,2}\d){8})\+[1-9](?:\d{7,14}|\d{0,2}(?:"
    rf"(?:\.\d{{1,4}}){{2,6}}|(?:{DASH}?\(\d{{1,4}}\){DASH}?\d{{1,4}})?"
    rf"(?:{DASH}\d{{1,10}}){{1,6}}))(?![\w-]|[.,]\d)",
    # 1-800-FLOWERS, 800-FLOWERS
    rf"(?<![\w.-])(?:\+?1{GAP}8\d\d{GAP}|8(\d)\1-)(?=[A-Z]{{3}})",
    # (555) 123-4567, 555.123.4567, 1 800 555 1234
    rf"(?<![\w.,+-])(?:1{GAP})?(?:\(\d{{3}}\) ?|\d{{3}}{GAP})\d{{3}}{GAP}\d{{4}}"
    r"(?![\w-]|[.,]\d)",
    # 020 7946 0958
    r"(?<![\w.,+-])\(?0\d{2,4}\)?[ -]\d{3,4}[ -]?\d{3,4}(?![\w-]|[.,]\d)",
    # 555-1234, and any three groups or more
    r"(?<![\w.-])(?:\d{3}-\d{4}|\d+(?:-\d+){2,})(?![\w-]|[.]\d)",
)
TELEPHONE = "|".join(FORMS)


def say_telephone(match: re.Match) -> str:
    """``555-1234``: five five five, one two three four."""
    groups = re.findall(r"\d+", match[0])
    if re.fullmatch(r"[1-9]\d?(?:-[1-9]\d?)+", match[0]):
        return ", ".join(map(say_cardinal, groups))
    plus = "plus " if match[0].startswith("+") else ""
    said = plus + ", ".join(map(say_digits, groups))
    return said if match[0][-1].isdigit() else f"{said}, "
