"""Which texts are refused before anything is computed, and by which character."""

from __future__ import annotations

import bisect
import re
import unicodedata
from collections.abc import Callable

LONGEST_TEXT, LONGEST_WORD = 1_000_000, 60
LONG_WORD = re.compile(rf"(?<![^\W_])[^\W_]{{{LONGEST_WORD + 1},}}|(?<!\S)\S{{501,}}")
BLANKS = "\t\n\r"
# Read, or without a sound.
KNOWN = set("\u00a3\u20ac\u00a5\u00b0\u00b5\u03bc\u00a9\u00ae\u2122\u00b7\u2022\u2212")
KNOWN |= set("\u00d7\u00f7\u00b1\u00b4\u00a7")
FEW, AROUND = 5, 20
# Written in other ways, read the same; NFKC knows the rest.
PLAIN = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u02bb\u02bc\u00b4", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2212", "-"),
        **dict.fromkeys("\u00a9\u00ae\u2122", ""),
        **dict.fromkeys("\u00b7\u2022", " "),
        "\u00b1": " plus or minus ",
        "\u00b2": "^2",
        "\u00b3": "^3",
        "\u2044": "/",
    }
)
# Letters that are no letter of English with an accent.
FOREIGN = "\u00df\u00e6\u00c6\u0153\u0152\u00f8\u00d8\u0142\u0141\u0111\u0110"
FOREIGN += "\u00f0\u00d0\u00fe\u00de\u0131"
ENGLISH = "ss ae Ae oe Oe o O l L d D th Th th Th i".split()
PLAIN |= dict(zip(map(ord, FOREIGN), ENGLISH))
ACCENTS = re.compile("[\u0300-\u036f]+")


def check_text(text: str) -> None:
    """Refuse what no model can read.

    Raises:
        TypeError: If it is no string.
        ValueError: If it is too long, or holds control characters.
    """
    if not isinstance(text, str):
        raise TypeError(f"the text: expected a string, found {type(text).__name__}")
    if len(text) > LONGEST_TEXT:
        raise ValueError(
            f"the text has {len(text)} characters: expected at most {LONGEST_TEXT}; "
            "split it"
        )
    _refuse(text, _is_control, "control characters", "remove them")


def check_english(text: str) -> None:
    """Refuse what cannot be read as English.

    Raises:
        ValueError: Naming emoji, other scripts and unknown signs; or a word that is
            too long.
    """
    _refuse(text, _is_foreign, "characters that cannot be read", "write them as words")
    if long := LONG_WORD.search(text):
        raise ValueError(
            f"{long[0][:20]!r}... at character {long.start() + 1} has {len(long[0])} "
            f"characters: expected words of at most {LONGEST_WORD}; put blanks between "
            "words"
        )


def plain(text: str) -> str:
    """Write a text with few signs: straight quotes, ASCII digits, composed accents."""
    text = re.sub("(?<=\\d)(?=[\u00bc-\u00be\u2150-\u215e])", " ", text)
    text = unicodedata.normalize("NFKC", text.translate(PLAIN)).translate(PLAIN)
    return ACCENTS.sub("", text)


def place(text: str, start: int, end: int, shown: str) -> str:
    """Where ``plain(text)[start:end]`` is, with the characters around in ``shown``."""
    first, last = (
        bisect.bisect_left(range(len(text)), n, key=lambda i: len(plain(text[:i])))
        for n in (start, end)
    )
    around = shown[max(first - AROUND, 0) : last + AROUND]
    return f"at character {first + 1}, in {' '.join(around.split())!a}"


def _refuse(text: str, odd: Callable[[str], bool], kind: str, fix: str) -> None:
    """Name the first of the characters that are ``odd``, with their places."""
    places: dict[str, int] = {}
    for place, character in enumerate(text, 1):
        if character not in places and odd(character):
            places[character] = place
    if not places:
        return
    names = [f"{_name(c)} at character {n}" for c, n in list(places.items())[:FEW]]
    more = f" and {len(places) - FEW} more" if len(places) > FEW else ""
    raise ValueError(f"the text holds {kind}: {', '.join(names)}{more}; {fix}")


def _name(character: str) -> str:
    """Such as ``U+1F600 GRINNING FACE``: safe to print on any terminal."""
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".rstrip()


def _is_control(character: str) -> bool:
    if character.isascii():
        return not character.isprintable() and character not in BLANKS
    # Also bidirectional marks, lone surrogates and private characters.
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn")


def _is_foreign(character: str) -> bool:
    if character.isascii() or character in KNOWN:
        return False
    kind = unicodedata.category(character)
    if kind[0] == "L":
        letters = ACCENTS.sub("", unicodedata.normalize("NFD", plain(character)))
        return re.fullmatch("[A-Za-z']+", letters) is None
    if kind == "Mn":
        return not "\u0300" <= character <= "\u036f"
    if kind[0] == "N":
        return unicodedata.normalize("NFKC", character)[:1] not in set("0123456789")
    return kind[0] not in "PZ"
