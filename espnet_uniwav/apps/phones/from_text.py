"""English text to the phones of the alignments, with silences at pauses."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from itertools import islice

from espnet_uniwav.apps.phones.ctm import SILENCE
from espnet_uniwav.apps.phones.g2p import spell
from espnet_uniwav.apps.phones.heteronyms import choose_reading
from espnet_uniwav.apps.phones.lexicon import pronounce, read_dictionary, tokenize
from espnet_uniwav.apps.phones.word_ends import mark_last
from espnet_uniwav.apps.text.normalizer import normalize

# Each part begins where a run begins, so that a long run is read once.
MARK = r"[,.;:!?()\u2013\u2014]"
PAUSES = re.compile(rf"(?<!{MARK}){MARK}+(?=\s|$)|(?<!\s)\s+-+\s+")


class Phonemizer:
    """Grapheme to phoneme: PocketSphinx's dictionary, then g2p_en's network.

    Words of two pronunciations are chosen by their neighbours, see ``heteronyms``.

    Words that are not in the dictionary are named in a warning, once.

    Args:
        lexicon: Word in lower case -> phones, which come before the dictionary's.
    """

    def __init__(self, lexicon: Mapping[str, Sequence[str]] = {}):
        self.lexicon = lexicon
        self.dictionary = read_dictionary()
        self.guessed: dict[str, list[str]] = {}

    def __call__(self, text: str) -> list[str]:
        """Phones of a text as it is written; see ``phones``."""
        return self.phones(self.normalize(text))

    def normalize(self, text: str) -> str:
        """A text as it is read; see ``normalize`` of the normaliser."""
        return normalize(text, self.lexicon)

    def phones(self, text: str) -> list[str]:
        """Phones of a text.

        Args:
            text: English, as ``normalize`` returns it.

        Returns:
            ARPAbet without stress, the last phone of a word with its mark; ``SIL`` at
            both ends and at every pause.

        Raises:
            ValueError: Naming what cannot be read, or if there is no word.
        """
        known = len(self.guessed)
        phrases = [self.words(phrase) for phrase in PAUSES.split(text)]
        new = islice(reversed(self.guessed.items()), len(self.guessed) - known)
        if new := list(new)[::-1]:
            logging.warning(
                "not in the dictionary, the pronunciation is a guess: %s. If one is "
                "wrong, write its phones instead: {R EH1 D}.",
                ", ".join(f"{word} ({' '.join(own)})" for word, own in new),
            )
        phones = [SILENCE]
        for phrase in filter(None, phrases):
            phones += [phone for word in phrase for phone in mark_last(word)]
            phones.append(SILENCE)
        if len(phones) == 1:
            raise ValueError(f"no word to speak in {text!r}")
        return phones

    def words(self, phrase: str) -> list[list[str]]:
        """Phones of every word of a phrase."""
        words = [word for _, word in tokenize(phrase)]
        return [self._pronounce(words, index) for index in range(len(words))]

    def _pronounce(self, words: list[str], index: int) -> list[str]:
        chosen = choose_reading(words, index)
        if chosen and words[index].strip("'") not in self.lexicon:
            return chosen
        return pronounce(words[index], self._lookup, self._guess)

    def _lookup(self, word: str) -> list[str]:
        return list(self.lexicon.get(word, ())) or self.dictionary.get(word, "").split()

    def _guess(self, word: str) -> list[str]:
        if word not in self.guessed:
            self.guessed[word] = spell(word)
        return self.guessed[word]
