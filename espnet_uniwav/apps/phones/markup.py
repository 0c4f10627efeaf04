"""Pronunciations in a text: ``{R EH1 D}``, or ``[read](R EH1 D)`` with the word.

They go through the normaliser and the splitting of sentences as one word,
``{read|R_EH_D}``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence

from espnet_uniwav.apps.phones.lexicon import (
    ARPABET,
    PRONOUNCED,
    bare_word,
    read_phone,
    strip_stress,
)

PHONE = rf"(?i:{'|'.join(sorted(ARPABET, key=len, reverse=True))})[012]?"
PHONES = rf"\s*({PHONE}(?:[\s_]+{PHONE})*)\s*"
# A letter alone is a letter; and what the normaliser would spell if no lexicon knows
# it, such as SQL and k8s.
PART = re.compile(
    rf"\{{(?:([^{{}}|]*)\||(?!\s*\w[012]?\s*\}})){PHONES}\}}"
    rf"|\[([^][]+)\]\((?!\s*\w[012]?\s*\)){PHONES}\)"
    r"|(?<![^\W_])([B-DF-HJ-NP-TV-XZ]{2,6}|[^\W\d_]*\d[^\W_]*)(?![^\W_])"
)
# No addresses, which are links of Markdown.
OTHER = re.compile(r"\{(?!\s*\})([^{}]*)\}|\[[^][]+\]\(([^()/.:#@]*)\)")
STRESSED = re.compile(r"\b[AEIOU][A-Z][012]\b")
# Letters that no English text holds, read as those of a word.
FIRST, MORE = "\u0259", "\u0254"
HIDDEN = re.compile(f"{FIRST}{MORE}*")
JOINT = re.compile(
    rf"(?<=[^\W_])(?={FIRST})|(?<=[{FIRST}{MORE}])(?=[^\W_{FIRST}{MORE}])"
)


def hide(text: str, lexicon: Mapping[str, Sequence[str]] = {}) -> tuple[str, list[str]]:
    """Replace pronunciations by words of the same length that no rule changes.

    Other braces and links are text; a warning names them.

    Args:
        text: English, as it is written.
        lexicon: Word in lower case -> phones. Those that the normaliser would spell
            are replaced as well.

    Returns:
        The text, and what ``show`` puts in again.

    Raises:
        ValueError: Naming what is no phone beside phones with stress, and its position.
    """
    found: list[str] = []

    def replace(match: re.Match) -> str:
        if word := match[5]:
            if (phones := lexicon.get(bare_word(word))) is None:
                return word
        else:
            word, written = match[1] or match[3], match[2] or match[4]
            phones = [strip_stress(own) for own in re.split(r"[\s_]+", written.upper())]
        label = re.sub(r"[^\w']+", "_", word or "").strip("_'")
        found.append(f"{{{label or '_'.join(phones)}|{'_'.join(phones)}}}")
        return FIRST + MORE * (len(match[0]) - 1)

    hidden = PART.sub(replace, text)
    _report_others(text, hidden)
    return hidden, found


def show(text: str, found: Sequence[str]) -> str:
    """Put the pronunciations of ``hide`` in again, each as one word."""
    replacements = iter(found)
    return HIDDEN.sub(lambda _: next(replacements), JOINT.sub(" ", text))


def as_written(text: str) -> str:
    """A text with the words in place of their pronunciations."""
    return PRONOUNCED.sub(r"\1", text)


def _report_others(text: str, hidden: str) -> None:
    """Warn of braces and links that are no pronunciations; refuse mistyped ones."""
    others = list(OTHER.finditer(hidden))
    for match in others:
        if STRESSED.search(match[1] or match[2] or ""):
            _refuse(match)
    if others:
        first, count = others[0], len(others) - 1
        logging.warning(
            "character %d, %.40s%s: read as text; phones look like {R EH1 D}, and a "
            "letter alone is none.",
            first.start() + 1,
            text[slice(*first.span())],
            f" and {count} more" if count else "",
        )


def _refuse(match: re.Match) -> None:
    """Raise ValueError for what is no phone in a pronunciation."""
    for item in re.finditer(r"[^\s_]+", match[match.lastindex]):
        try:
            read_phone(item[0])
        except ValueError as error:
            place = match.start(match.lastindex) + item.start() + 1
            raise ValueError(f"character {place}, in {match[0]}: {error}") from None
