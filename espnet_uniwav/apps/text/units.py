"""Units behind a number, their powers and quotients, as they are read."""

from __future__ import annotations

import re

from espnet_uniwav.apps.text.numbers import NUMBER, say_cardinal, say_decimal
from espnet_uniwav.apps.text.written_forms import TIGHT_UNITS, UNITS
from espnet_uniwav.apps.tts.sentences import ends_sentence

UNIT = f"(?:{'|'.join(map(re.escape, sorted(UNITS, key=len, reverse=True)))})"
QUANTITY = (
    rf"(?<![\w.,])({NUMBER})([ -]?)({UNIT})(\^[23]|(?<=m)[23])?"
    rf"(?:/({UNIT})(\^[23])?)?(?![\w^])(\.)?"
)


def say_quantity(match: re.Match) -> str:
    """``5 kg``: 5 kilograms; ``3.5 m/s^2``: 3 point five meters per square second."""
    number, gap, unit, power, per, per_power, point = match.groups()
    if gap and unit in TIGHT_UNITS and not (power or per or point):
        return match[0]
    if unit == "s" and not gap and re.fullmatch(r"\d*0", number) and len(number) > 1:
        return f"{say_cardinal(number).removeprefix('one ')}s"
    name = UNITS[unit][number != "1"]
    if power:
        name = f"{_power(power)}{name}"
    if per:
        name += f" per {say_per(per, per_power)}"
    ends = point and ends_sentence(match)
    return f"{say_decimal(number)} {name}{'.' if ends else ''}"


def say_per(unit: str | None, power: str | None) -> str:
    """What is read after "per": the unit of one, nothing without a unit."""
    return f"{_power(power)}{UNITS[unit][0]}" if unit else ""


def _power(power: str | None) -> str:
    return {"": "", "2": "square ", "3": "cubic "}[(power or "")[-1:]]
