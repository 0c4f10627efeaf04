"""How words are pronounced, in ARPAbet without stress: dictionary, then rules."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

ARPABET = frozenset(
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T "
    "TH UH UW V W Y Z ZH".split()
)
SIBILANTS = {"S", "Z", "SH", "ZH", "CH", "JH"}
VOICELESS = {"P", "T", "K", "F", "TH"}
NO_TEXT = "<unk>"
# A word with its phones, see ``markup``.
PRONOUNCED = re.compile(r"\{([^\s{}|]+)\|([A-Za-z_]+)\}")
# From the first letter or digit to the last, with apostrophes that touch them.
WORD = re.compile(r"'?[^\W_](?:\S*[^\W_])?'?")


def pronounce(
    word: str,
    lookup: Callable[[str], list[str] | None],
    spell: Callable[[str], list[str]],
) -> list[str]:
    """Phones of a word as ``tokenize`` returns it.

    Phones that the text gives come first, then the dictionary. Other words are split
    at hyphens, a possessive 's is added by rule, what is left is split at points, and
    pronounced by ``spell``.

    Args:
        word: In lower case.
        lookup: Phones of a word in the dictionary, or None.
        spell: A guess at the phones of a word of the letters a to z.

    Raises:
        ValueError: If it holds other characters than letters.
    """
    bare = word.strip("'")
    if given := PRONOUNCED.fullmatch(bare):
        return given[2].upper().split("_")
    if known := lookup(word) or lookup(bare) or lookup(f"{bare}."):
        return known
    if "-" not in word and word.endswith("'s") and len(word) > 2:
        return add_s(pronounce(word[:-2], lookup, spell))
    for mark in "-", ".":
        if mark in word:
            parts = [part for part in word.split(mark) if part.strip("'")]
            return [own for part in parts for own in pronounce(part, lookup, spell)]
    letters = word.replace("'", "")
    if not re.fullmatch("[a-z]+", letters):
        raise ValueError(
            f"no pronunciation of {word!r}: write numbers and signs as English words"
        )
    return spell(letters)


def read_dictionary() -> dict[str, str]:
    """PocketSphinx's English dictionary: first pronunciation of 126,000 words.

    Returns:
        Lower-case word -> phones without stress, with blanks between them.
    """
    from pocketsphinx import get_model_path

    path = Path(get_model_path("en-us/cmudict-en-us.dict"))
    words: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        word, _, phones = line.partition(" ")
        words.setdefault(word.partition("(")[0], phones)
    return words


def tokenize(text: str) -> list[tuple[str, str]]:
    """Split a text at blanks; pairs of a token as written and the word to look up.

    Tokens without a letter or digit, and the placeholder ``<unk>``, are left out.
    """
    pairs = []
    for token in text.split():
        plain = bare_word(token)
        word = WORD.search(PRONOUNCED.sub(lambda given: "x" * len(given[0]), plain))
        if token != NO_TEXT and word:
            pairs.append((token, plain[slice(*word.span())]))
    return pairs


def bare_word(word: str) -> str:
    """A word in lower case, without accents, with straight apostrophes."""
    plain = unicodedata.normalize("NFD", word.lower().replace("\u2019", "'"))
    return "".join(c for c in plain if not unicodedata.combining(c))


def add_s(phones: list[str]) -> list[str]:
    """Add the ending of a plural or possessive to the phones of a word."""
    if phones[-1] in SIBILANTS:
        return [*phones, "IH", "Z"]
    return [*phones, "S" if phones[-1] in VOICELESS else "Z"]


def read_phone(written: str) -> str:
    """A phone of ARPAbet in any case, with or without stress: ``eh1`` is ``EH``.

    Raises:
        ValueError: If it is none.
    """
    phone = strip_stress(written.upper())
    if phone not in ARPABET:
        raise ValueError(
            f"{written!r} is no phone: expected some of {' '.join(sorted(ARPABET))} "
            "(ARPAbet), with or without stress, such as EH1"
        )
    return phone


def strip_stress(phone: str) -> str:
    """``AH0`` becomes ``AH``; what is no ARPAbet phone with stress stays as it is."""
    return phone[:-1] if phone[-1:] in set("012") and phone[:-1] in ARPABET else phone
