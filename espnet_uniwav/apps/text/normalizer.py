"""English as it is written to English as it is read: numbers, dates, money, units.

Rules are tried from top to bottom; each replaces what its pattern matches. Dates of
three numbers are read as in the United States, month first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from espnet_uniwav.apps.phones.markup import hide, show
from espnet_uniwav.apps.text.characters import check_english, place, plain
from espnet_uniwav.apps.text.dates import (
    clock_time,
    day_month,
    full_hour,
    iso_date,
    month_day,
    us_date,
)
from espnet_uniwav.apps.text.letters import joined_letters, letters_before, say_letters
from espnet_uniwav.apps.text.money import AMOUNTS, Unread, say_money
from espnet_uniwav.apps.text.numbers import (
    NUMBER,
    roman,
    say_cardinal,
    say_decade,
    say_decimal,
    say_digits,
    say_fraction,
    say_ordinal,
)
from espnet_uniwav.apps.text.signs import (
    ADDRESS,
    BETWEEN_WORDS,
    part_words,
    say_address,
    say_sign,
)
from espnet_uniwav.apps.text.telephones import TELEPHONE, say_telephone
from espnet_uniwav.apps.text.units import QUANTITY, say_quantity
from espnet_uniwav.apps.text.write_out import write_out
from espnet_uniwav.apps.text.written_forms import (
    ABBREVIATIONS,
    COUNTED,
    DAYS,
    MONTHS,
    NUMBERED,
    RULERS,
    SCALES,
    SHORT_WORDS,
    SIGNS,
    WORDS_TOO,
)
from espnet_uniwav.apps.tts.sentences import ends_sentence

MONTH = "|".join(sorted({*MONTHS, *MONTHS.values()}, key=len, reverse=True))
# One to read, and more for what was hidden by signs; the last changes nothing.
PASSES = 5
AT_END = re.compile(r"\s*$")


def normalize(text: str, lexicon: Mapping[str, Sequence[str]] = {}) -> str:
    """Write a text as it is read.

    Args:
        text: English, perhaps with pronunciations, see ``phones.markup``.
        lexicon: Word in lower case -> phones, of words that are not spelled.

    Returns:
        Words and punctuation, without digits. A second call changes nothing.

    Raises:
        ValueError: Naming characters that cannot be read, or what is no phone.
    """
    check_english(text)
    hidden, pronounced = hide(text, lexicon)
    try:
        said = AMOUNTS.sub(say_money, plain(hidden))
    except Unread as odd:
        raise ValueError(
            "the text holds an amount of money that cannot be read "
            f"{place(hidden, odd.start, odd.end, text)}: expected such as $5, "
            "$1,000.50 or $5-10; write it as words"
        ) from None
    for _ in range(PASSES):
        before, said = said, _apply_rules(said)
        if said == before:
            break
    return show(said, pronounced)


def _apply_rules(text: str) -> str:
    for pattern, read in RULES:
        text = pattern.sub(read, text)
    return write_out(text)


def _fraction(match: re.Match) -> str:
    whole, upper, lower = match[1], int(match[2]), int(match[3])
    if not 0 < upper < lower <= 100:
        return f"{whole or ''}{upper} over {lower}"
    said = say_fraction(upper, lower)
    return f"{whole.strip()} and {said}" if whole else said


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
    word = ABBREVIATIONS[match[1].lower()]
    if word == "et cetera":
        return word + ("." if ends_sentence(match) else "")
    return word + ("." if AT_END.match(match.string, match.end()) else "")


RULES = [
    (re.compile(pattern), read)
    for pattern, read in (
        (ADDRESS, say_address),
        (r"\b(\d{4})-(\d\d)-(\d\d)\b", iso_date),
        (r"(?<![\w-])(\d\d?)([/-])(\d\d?)\2(\d{4})\b", us_date),
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
        (TELEPHONE, say_telephone),
        (r"(?<![\w.,)-])-(?=\.?\d)", "minus "),
        (r"(?<![\w.])'?(\d{2})s\b(?<=0s)", lambda m: say_decade(m[1])),
        (r"\b(1\d\d0|20\d0)'?s\b", lambda m: say_decade(m[1])),
        (rf"(?<=\d) ?[-\u2013] ?(?={NUMBER}\b)(?!\d+[-\u2013])", " to "),
        (
            rf"(?<![\w.,])(?=[\d,]+\.)({NUMBER})(k|K|M|mn|bn|B)\b",
            lambda m: f"{say_decimal(m[1])} {SCALES[m[2]]}",
        ),
        (QUANTITY, say_quantity),
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
        (
            r"(?<![A-Z]\.)(?<![A-Z]\. )\b(?![AP]\.M)(?:[A-Z]\. ?){2,}(?= ?[A-Z][a-z])",
            letters_before,
        ),
        (r"(?<![\w.])((?:[A-Za-z]\.)+[A-Za-z])\.(?= [a-z])", r"\1"),
        # letters after digits are apart before numbers become words
        (r"(?<=\d)(?:-|(?!(?:st|nd|rd|th)\b))(?=[^\W\d_])|(?<=\d)'(?=\d)", " "),
        (
            r"(?<![\w.])(\d{1,3}(?:,\d{3})+)(?:st|nd|rd|th)\b",
            lambda m: say_ordinal(int(m[1].replace(",", ""))),
        ),
        (r"(?<![\d.])\d+(?:\.\d+){2,}(?!\w)", lambda m: m[0].replace(".", " point ")),
        (rf"(?<![\w.]){NUMBER}(?![\d.]*\d)", lambda m: say_decimal(m[0])),
        (r"(?<![\w.])\.(\d+)", lambda m: f"point {say_digits(m[1])}"),
        (r"(?<![^\W_])[A-Za-z](?=\d)", letters_before),
        (r"(?<=[^\W\d_])-?(?=\d)", " "),
        (
            rf"(?<!')\b(?!(?:{'|'.join(SHORT_WORDS)})\b)[B-DF-HJ-NP-TV-XZ]{{2,6}}\b",
            lambda m: say_letters(m[0]),
        ),
        (r"#(?=\d)", "number "),
        (r"\b([A-Z]{1,2})&([A-Z]{1,2})\b", joined_letters),
        (r" ?&+ ?", " and "),
        (
            r"(?<!\S)([#+=@%\u00d7\u00f7<>~/\u00b0$\u00a3\u20ac\u00a5])(?!\S)",
            lambda m: SIGNS[m[1]],
        ),
        (r"(?<=[\w)])([+=\u00d7\u00f7<>/@])(?=[\w(])", say_sign),
        (r"\u00a7 ?", "section "),
        (r"\u03bc", "micro "),
        (BETWEEN_WORDS, part_words),
        (r"[_*|\\^`{}\[\]~$\u00a3\u20ac\u00a5]", " "),
    )
]
