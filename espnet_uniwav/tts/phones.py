"""English text to the phones of the alignments, with silences at pauses."""

from __future__ import annotations

import re

from espnet_uniwav.alignment.ctm import SILENCE
from espnet_uniwav.alignment.g2p import spell, write_out
from espnet_uniwav.alignment.lexicon import pronounce, read_dictionary, tokenize

PAUSES = re.compile(r"[,.;:!?()\u2013\u2014]+(?=\s|$)|\s+-+\s+")


class Phonemizer:
    """Grapheme to phoneme: PocketSphinx's dictionary, then g2p_en's network."""

    def __init__(self):
        self.dictionary = read_dictionary()

    def __call__(self, text: str) -> list[str]:
        """Phones of a text.

        Args:
            text: English, with digits and punctuation.

        Returns:
            ARPAbet without stress; ``SIL`` at both ends and at every pause.

        Raises:
            ValueError: If a word cannot be pronounced, or if there is none.
        """
        phrases = [self.words(phrase) for phrase in PAUSES.split(write_out(text))]
        phones = [SILENCE]
        for phrase in filter(None, phrases):
            phones += [phone for word in phrase for phone in word] + [SILENCE]
        if len(phones) == 1:
            raise ValueError(f"no word to speak in {text!r}")
        return phones

    def words(self, phrase: str) -> list[list[str]]:
        """Phones of every word of a phrase."""
        pairs = tokenize(phrase)
        return [pronounce(word, self.dictionary.get, spell) for _, word in pairs]
