"""English as it is written to English as it is read: numbers, dates, money, units.

Rules are tried from top to bottom; each replaces what its pattern matches. Dates of
three numbers are read as in the United States, month first.
"""

from __future__ import annotations

import re
import unicodedata

from espnet_uniwav.alignment.g2p import write_out
from espnet_uniwav.tts.characters import check_english
from espnet_uniwav.tts.dates import (
    clock_time,
    day_month,
    full_hour,
    iso_date,
    month_day,
    us_date,
)
from espnet_uniwav.tts.numbers import (
    roman,
    say_cardinal,
    say_decade,
    say_decimal,
    say_digits,
    say_fraction,
    say_ordinal,
)
from espnet_uniwav.tts.written_forms import (
    ABBREVIATIONS,
    COUNTED,
    DAYS,
    MONEY,
    MONTHS,
    NUMBERED,
    RULERS,
    SCALES,
    SHORT_WORDS,
    SIGNS,
    TIGHT_UNITS,
    UNITS,
    WORDS_TOO,
)

PLAIN = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u02bc\u00b4", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2212", "-"),
        **dict.fromkeys("\u00a9\u00ae\u2122", ""),
        **dict.fromkeys("\u00b7\u2022", " "),
        "\u00b1": " plus or minus ",
        "\u00b5": "\u03bc",
        "\u00df": "ss",
        "\u00e6": "ae",
        "\u00c6": "Ae",
        "\u0153": "oe",
        "\u00f8": "o",
        "\u00d8": "O",
        "\u0142": "l",
        "\u0141": "L",
        "\u0111": "d",
    }
)
NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
MONTH = "|".join(sorted({*MONTHS, *MONTHS.values()}, key=len, reverse=True))
UNIT = "|".join(map(re.escape, sorted(UNITS, key=len, reverse=True)))
SCALE = "thousand|million|billion|trillion"
MONEY_SIGN = "[" + "".join(MONEY) + "]"
LETTERS = {"A": "ay", "a": "ay"}


def normalize(text: str) -> str:
    """Write a text as it is read.

    Args:
        text: English.

    Returns:
        Words and punctuation, without digits. A second call changes nothing.

    Raises:
        ValueError: Naming characters that cannot be read.
    """
    text = unicodedata.normalize("NFC", text)
    check_english(text)
    text = re.sub("(?<=\\d)(?=[\u00bc-\u00be\u2150-\u215e])", " ", text)
    text = re.sub(
        "[\u00b2\u00b3]", lambda m: "^" + "23"["\u00b2\u00b3".index(m[0])], text
    )
    text = unicodedata.normalize("NFKC", text.translate(PLAIN)).replace("\u2044", "/")
    for pattern, read in RULES:
        text = pattern.sub(read, text)
    return write_out(text)


def _address(match: re.Match) -> str:
    said = re.sub(r"^https?://|/$", "", match[0]).replace("www.", "w w w dot ")
    for sign, word in (".", "dot"), ("@", "at"), ("/", "slash"), ("-", "dash"):
        said = said.replace(sign, f" {word} ")
    return re.sub(r"[_?=&#:%+~]", " ", said)


def _money(match: re.Match) -> str:
    """``$3.50``: 3 dollars, 50 cents; ``$5 million``: 5 million dollars."""
    minus, sign, amount, scale = match.groups()
    one, more, cent, cents = MONEY[sign]
    said = "minus " if minus else ""
    if scale:
        scale = SCALES.get(scale.strip(), scale.strip())
        return f"{said}{say_decimal(amount)} {scale} {more}"
    whole, _, rest = amount.partition(".")
    if len(rest) not in (0, 2):
        return f"{said}{say_decimal(amount)} {more}"
    small = int(rest or 0)
    large = f"{say_decimal(whole)} {one if whole == '1' else more}"
    little = f"{small} {cent if small == 1 else cents}"
    if not small:
        return said + large
    return said + (f"{large}, {little}" if whole.strip("0,") else little)


def _unit(match: re.Match) -> str:
    number, gap, unit, power, per, per_power, point = match.groups()
    rest = match.string[match.end() :]
    if gap and unit in TIGHT_UNITS and not (power or per or point):
        return match[0]
    if unit == "s" and not gap and re.fullmatch(r"\d*0", number) and len(number) > 1:
        return f"{say_cardinal(number).removeprefix('one ')}s"
    name = UNITS[unit][number != "1"]
    if power:
        name = f"{_power(power)}{name}"
    if per:
        name += f" per {_power(per_power)}{UNITS[per][0]}"
    ends = point and re.match(r"\s+[A-Z]|\s*$", rest)
    return f"{say_decimal(number)} {name}{'.' if ends else ''}"


def _power(power: str | None) -> str:
    return {"": "", "2": "square ", "3": "cubic "}[(power or "")[-1:]]


def _fraction(match: re.Match) -> str:
    whole, upper, lower = match[1], int(match[2]), int(match[3])
    if not 0 < upper < lower <= 100:
        return f"{whole or ''}{upper} over {lower}"
    said = say_fraction(upper, lower)
    return f"{whole.strip()} and {said}" if whole else said


def _phone(match: re.Match) -> str:
    groups = re.findall(r"\d+", match[0])
    plus = "plus " if match[0].startswith("+") else ""
    return plus + ", ".join(say_digits(group) for group in groups)


def _roman(match: re.Match) -> str:
    number = roman(match[2])
    if number is None or (number == 1 and match[1] in RULERS.split("|")):
        return match[0]
    if match[1] in COUNTED.split("|"):
        return f"{match[1]} {say_cardinal(str(number))}"
    return f"{match[1]} the {say_ordinal(number)}"


def _abbreviation(match: re.Match) -> str:
    if match[1] in WORDS_TOO:
        return match[0]
    word, rest = ABBREVIATIONS[match[1].lower()], match.string[match.end() :]
    ends = re.match(r"\s*$", rest) or (
        word == "et cetera" and re.match(r"\s+[A-Z]", rest)
    )
    return word + ("." if ends else "")


def _letters(match: re.Match) -> str:
    return " ".join(LETTERS.get(letter, letter) for letter in match[0])


def _initials(match: re.Match) -> str:
    return " ".join(_letters(match).replace(".", " ").split()) + " "


def _letter_before_digit(match: re.Match) -> str:
    return f"{LETTERS.get(match[0], match[0])} "


RULES = [
    (re.compile(pattern), read)
    for pattern, read in (
        (
            r"https?://[^\s,;!?\"]*[^\s,;!?\".:)]|\bwww(?:\.[\w-]+)+(?:/[\w./-]*\w)?",
            _address,
        ),
        (r"\b[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+", _address),
        (r"\b(\d{4})-(\d\d)-(\d\d)\b", iso_date),
        (r"\b(\d\d?)/(\d\d?)/(\d{4})\b", us_date),
        (rf"\b({MONTH})\b\.? (\d\d?)(?:st|nd|rd|th)?\b(?![:.,]\d|%)", month_day),
        (
            rf"\b(?:the )?(\d\d?)(?:st|nd|rd|th)?(?: of)? ({MONTH})\b\.?(?! \d\d?\b)",
            day_month,
        ),
        (rf"\b({MONTH})\.(?= \d{{4}}\b)", lambda m: MONTHS.get(m[1], m[1])),
        (rf"\b({'|'.join(DAYS)})\.(?=,? (?:\d|{MONTH}))", lambda m: DAYS[m[1]]),
        (
            r"\b([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?"
            r"(?: ?([aApP]\.?[mM]\b\.?))?(?![\d:])",
            clock_time,
        ),
        (r"\b(1[0-2]|[1-9]) ?([aApP]\.[mM]\.|[aApP][mM]\b)", full_hour),
        (r"\+\d{1,3}(?:[ -]\d{2,4}){2,4}\b|\(\d{3}\) ?\d{3}-\d{4}\b", _phone),
        (r"(?<![\w-])(?:\d{3}-)?\d{3}-\d{4}(?![\w-])", _phone),
        (
            rf"(?<!\w)(-)?({MONEY_SIGN}) ?({NUMBER})"
            rf"( (?:{SCALE})\b|(?:k|K|m|M|bn|B)\b)?",
            _money,
        ),
        (rf"(?<![\w.,)-])-(?={NUMBER})", "minus "),
        (r"(?<![\w.])'?(\d{2})s\b(?<=0s)", lambda m: say_decade(m[1])),
        (r"\b(1\d\d0|20\d0)'?s\b", lambda m: say_decade(m[1])),
        (rf"(?<=\d) ?[-\u2013] ?(?={NUMBER}\b)(?!\d+[-\u2013])", " to "),
        (
            rf"(?<![\w.,])({NUMBER})([ -]?)({UNIT})(\^[23]|(?<=m)[23])?"
            rf"(?:/({UNIT})(\^[23])?)?(?![\w^])(\.)?",
            _unit,
        ),
        (r"(?<![\w./])(\d+ )?(\d{1,4})/(\d{1,4})(?![\w/])", _fraction),
        (
            rf"\b({'|'.join(NUMBERED)})\. ?(?=\d)",
            lambda m: f"{NUMBERED[m[1]]} ",
        ),
        (rf"\b({COUNTED}|{RULERS}) ([IVXL]+)\b(?!\.\w)", _roman),
        (
            rf"(?i:\b({'|'.join(map(re.escape, ABBREVIATIONS))}))\.(?=\W|$)",
            _abbreviation,
        ),
        (r"(?<=[a-z] )St\.(?=\s*$|,| [a-z])", "Street"),
        (r"\b(?![AP]\.M)(?:[A-Z]\. ?){2,}(?= ?[A-Z][a-z])", _initials),
        (r"\b((?:[A-Za-z]\.)+[A-Za-z])\.(?= [a-z])", r"\1"),
        (r"(?<![\d.])\d+(?:\.\d+){2,}(?!\w)", lambda m: m[0].replace(".", " point ")),
        (rf"(?<![\w.]){NUMBER}(?![\d.]*\d)", lambda m: say_decimal(m[0])),
        (r"(?<![\w.])\.(\d+)", lambda m: f"point {say_digits(m[1])}"),
        (r"\b[A-Za-z](?=\d)", _letter_before_digit),
        (r"(?<=[A-Za-z])(?=\d)", " "),
        (r"(?<=\d)(?=(?!(?:st|nd|rd|th)\b)[A-Za-z])", " "),
        (r"(?<=\d)-(?=[A-Za-z])|(?<=[A-Za-z])-(?=\d)", " "),
        (
            rf"(?<!')\b(?!(?:{'|'.join(SHORT_WORDS)})\b)[B-DF-HJ-NP-TV-XZ]{{2,6}}\b",
            _letters,
        ),
        (r"#(?=\d)", "number "),
        (r"\b([A-Za-z])&([A-Za-z])\b", r"\1 and \2"),
        (r"(?<!\S)([#&+=@%\u00d7\u00f7<>~/\u00b0])(?!\S)", lambda m: SIGNS[m[1]]),
        (r"(?<=[\w)])([+=\u00d7\u00f7<>/@])(?=[\w(])", lambda m: f" {SIGNS[m[1]]} "),
        (r"\u00a7 ?", "section "),
        # marks between words without a blank
        (r"(?<=\w)(?:[\u2013\u2014]|--+|[?!;:,]+)(?=\w)", ", "),
        (r"(?<=\w)\.{2,}(?=\w)|(?<=[a-z])\.(?=[A-Z][a-z])", ". "),
        (r"(?<=\w\w)\.(?=\w\w)", " dot "),
        (r"(?<=\w)[()\[\]\"#@+]+(?=\w)", " "),
        (r"[_*|\\^`{}\[\]~$\u00a3\u20ac\u00a5]", " "),
    )
]
