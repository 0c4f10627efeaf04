"""A lexicon of one's own, in the formats of CMUdict and of MFA."""

from __future__ import annotations

import re
from pathlib import Path

from espnet_uniwav.apps.phones.lexicon import bare_word, read_phone
from espnet_uniwav.io.input import fields, iter_lines

COMMENT = re.compile(r"^\s*;;;.*|\s#.*")
VARIANT = re.compile(r"\(\d+\)$")
PROBABILITY = re.compile(r"\d*\.\d+|[01]")
# <unk> and [laughter] of MFA
NOISE = re.compile(r"<.*>|\[.*\]")


def read_lexicon(path: str | Path) -> dict[str, list[str]]:
    """Read lines ``word PH PH ...``; the first pronunciation of a word counts.

    Args:
        path: File with blanks or tabs; ``;;;`` and `` #`` open comments, ``WORD(2)`` is
            another pronunciation, numbers behind the word are MFA's probabilities.

    Returns:
        Word in lower case -> phones of ARPAbet without stress.

    Raises:
        FileNotFoundError, ValueError: Naming the file, the line, and what is wrong.
    """
    words: dict[str, list[str]] = {}
    for number, line in enumerate(iter_lines(path, mark=True), 1):
        cells = fields(COMMENT.sub("", line))
        if not cells or NOISE.fullmatch(cells[0]):
            continue
        word, place = VARIANT.sub("", bare_word(cells[0])), f"{path}, line {number}"
        phones = cells[1:]
        while phones and PROBABILITY.fullmatch(phones[0]):
            phones = phones[1:]
        if not phones:
            raise ValueError(f"{place}: expected a word and its phones, found {line!r}")
        try:
            words.setdefault(word, list(map(read_phone, phones)))
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
    if not words:
        raise ValueError(f"{path}: expected lines such as `read R EH1 D`, found none")
    return words
