"""Money as it is read: the sign before or after the number, ranges, scales."""

from __future__ import annotations

import re

from espnet_uniwav.apps.text.letters import say_letters
from espnet_uniwav.apps.text.numbers import NUMBER, say_decimal
from espnet_uniwav.apps.text.units import UNIT, say_per
from espnet_uniwav.apps.text.write_out import write_out
from espnet_uniwav.apps.text.written_forms import MONEY, SCALES

SIGN = f"[{''.join(MONEY)}]"
SCALE = (
    r"[ -]?(?:hundred|thousand|million|billion|trillion)\b"
    r"|(?:k|K|m|M|mn|b|B|bn|T|tn)\b| (?:k|K|m|M|mn|B|bn)(?![\w&'-])"
)
# Sign, minus, number, scale, sign: groups 3 to 7, and 8 to 12 of a range.
AMOUNT = (
    rf"(?:({SIGN}) ?)?(-)?({NUMBER}|\.\d+)({SCALE})?"
    rf"(?: ?({SIGN})(?! ?\.?\d))?"
)
START = rf"(?:(?<![\w.])(?<!\d[,:/-])|(?<!\d)(?=[A-Z]{{0,3}}{SIGN}))"
MINUS, LAND = r"((?<![\w.,)-])-)?", rf"((?<![^\W_])[A-Z]{{1,3}}(?={SIGN}))?"
# With blanks only if both have a sign on the same side.
DASH = "[-\u2013]"
TO = rf"(?:{DASH}|(?(3) {DASH} (?={SIGN})| {DASH} (?!{SIGN})(?=\S* ?{SIGN})))"
SIGNED = "(?(3)|(?(7)|(?(8)|(?(12)|(?!)))))"
END = rf"(?:(?<={SIGN})(?!-\d)|(?!\d|[.,:/-]\d))"
PER = rf"(/(?:({UNIT})(\^[23])?(?![\w^])|(?=[A-Za-z\d])))?"
UNREAD = (
    rf"({SIGN} ?[-+]?[.,]?\d|\d(?: ?[A-Za-z]{{0,3}}|[.,-]{{1,2}}){SIGN}(?! ?\.?\d))"
)
AMOUNTS = re.compile(
    rf"{START}{MINUS}{LAND}{AMOUNT}(?:{TO}{AMOUNT})?{SIGNED}{END}{PER}|{UNREAD}"
)


class Unread(ValueError):
    """An amount that cannot be read, from ``start`` to ``end`` of the text."""

    def __init__(self, match: re.Match):
        self.start, self.end = match.span()


def say_money(match: re.Match) -> str:
    """A match of ``AMOUNTS`` as it is read: ``$5-10``: five to ten dollars.

    Raises:
        Unread: If it has a sign of money, and no number or another sign.
    """
    minus, land, *parts, per, unit, power, odd = match.groups()
    low, high = parts[:5], parts[5:]
    signs = [{part[0], part[-1]} - {None} for part in (low, high)]
    if odd or high[1] or max(map(len, signs)) > 1:
        raise Unread(match)
    before = "minus " if minus or low[1] else ""
    lands = f"{say_letters(land)} " if land else ""
    (sign,), (other,) = signs[0] or signs[1], signs[1] or signs[0]
    bare, said = _amount(sign, lands, *low[2:4])
    if high[2]:
        end, full = _amount(other, lands, *high[2:4])
        said = f"{bare if bare and end and sign == other else said} to {full}"
    if per:
        said += f" per {say_per(unit, power)}".rstrip()
    return _apart(match, write_out(before + said))


def _apart(match: re.Match, said: str) -> str:
    """With blanks where letters or digits touch the match."""
    start, end = match.span()
    before, after = match.string[max(start - 1, 0) : start], match.string[end : end + 1]
    return " " * before.isalnum() + said + " " * after.isalnum()


def _amount(
    sign: str, land: str, number: str, scale: str | None
) -> tuple[str | None, str]:
    """``$3.50``: 3 dollars, 50 cents; ``$5 million``: 5 million dollars.

    Returns:
        The number without its unit, None if it has two; and with it.
    """
    one, more, cent, cents = MONEY[sign]
    whole, _, rest = number.partition(".")
    if scale or len(rest) not in (0, 2):
        scale = (scale or "").strip(" -")
        bare = f"{say_decimal(number)} {SCALES.get(scale, scale)}".strip()
        return bare, f"{bare} {land}{more}"
    small, large = int(rest or 0), whole.strip("0,")
    little = f"{small} {cent if small == 1 else cents}"
    bare = say_decimal(whole or "0")
    said = f"{bare} {land}{one if whole == '1' else more}"
    if not small:
        return bare, said
    return None, f"{said}, {little}" if large else little
