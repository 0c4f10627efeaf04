"""Words to phones: PocketSphinx's dictionary, and a guess for the words it lacks.

The phones are the 39 of ARPAbet without stress; of several pronunciations the first is
taken, as S3PRL does. S3PRL's own lexicon of LibriSpeech is guessed for such words too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from espnet_uniwav.apps.phones.g2p import spell
from espnet_uniwav.apps.phones.lexicon import read_dictionary

Phones = tuple[str, ...]


def read_lexicon() -> dict[str, Phones]:
    """Upper-case words of PocketSphinx's dictionary."""
    return {word.upper(): tuple(own.split()) for word, own in read_dictionary().items()}


def pronounce(
    words: Iterable[str],
    lexicon: dict[str, Phones],
    guess: Callable[[str], Phones] | None,
) -> tuple[dict[str, Phones], dict[str, Phones]]:
    """Looks words up.

    Args:
        words: upper-case words.
        lexicon: word -> phones.
        guess: for a word that is not in the lexicon; None: such words stay without.

    Returns:
        Pronunciations of all words that have one, and of these the guessed ones.
        A possessive or a clipped word that is known without its apostrophe counts
        as guessed as well.
    """
    words = sorted(set(words))
    known = {word: lexicon[word] for word in words if word in lexicon}
    guessed = {}
    for word in words if guess else ():
        letters = word.replace("'", "")
        if word not in known and re.fullmatch("[A-Z]+", letters):
            guessed[word] = lexicon.get(letters) or guess(letters)
    guessed = {word: phones for word, phones in guessed.items() if phones}
    return {**known, **guessed}, guessed


def guess_phones(word: str) -> Phones:
    """Guess the phones of an upper-case word of letters with g2p_en's network."""
    return tuple(spell(word.lower()))
