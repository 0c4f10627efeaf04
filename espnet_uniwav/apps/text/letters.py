"""Letters that are read one by one: acronyms, initials, names such as A4."""

from __future__ import annotations

import re

from espnet_uniwav.apps.text.written_forms import DOTTED

LETTERS = {"A": "ay", "a": "ay"}


def say_letters(word: str) -> str:
    """``"AT"``: ay T; other characters are blanks."""
    letters = (LETTERS.get(letter, letter) for letter in word if letter.isalpha())
    return " ".join(letters)


def letters_before(match: re.Match) -> str:
    """J. R. R. before a name, A before 4: J R R, ay; and a blank."""
    return f"{say_letters(match[0])} "


def joined_letters(match: re.Match) -> str:
    """AT&T: ay T and T."""
    return f"{say_letters(match[1])} and {say_letters(match[2])}"


def dotted_letters(match: re.Match) -> str:
    """N.A.S.A: N ay S ay; what the dictionary knows with its points, keeps them."""
    return match[0] if match[0].lower() in DOTTED else say_letters(match[0])
