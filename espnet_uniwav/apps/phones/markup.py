"""Pronunciations in a text: ``{R EH1 D}``, or ``[read](R EH1 D)`` with the word.

They go through the normaliser and the splitting of sentences as one word,
``{read|R_EH_D}``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from espnet_uniwav.apps.phones.lexicon import PRONOUNCED, bare_word, read_phone

# No addresses, which are links of Markdown; and what the normaliser would spell if no
# lexicon knows it, such as SQL and k8s.
PART = re.compile(
    r"\{(?:([^{}|]*)\|)?([^{}|]*)\}|\[([^][]+)\]\(([^()/.:#@]*)\)"
    r"|(?<![^\W_])([B-DF-HJ-NP-TV-XZ]{2,6}|[^\W\d_]*\d[^\W_]*)(?![^\W_])"
)
# Letters that no English text holds, read as those of a word.
FIRST, MORE = "\u0259", "\u0254"
HIDDEN = re.compile(f"{FIRST}{MORE}*")
JOINT = re.compile(
    rf"(?<=[^\W_])(?={FIRST})|(?<=[{FIRST}{MORE}])(?=[^\W_{FIRST}{MORE}])"
)


def hide(text: str, lexicon: Mapping[str, Sequence[str]] = {}) -> tuple[str, list[str]]:
    """Replace pronunciations by words of the same length that no rule changes.

    Args:
        text: English, as it is written.
        lexicon: Word in lower case -> phones. Those that the normaliser would spell
            are replaced as well.

    Returns:
        The text, and what ``show`` puts in again.

    Raises:
        ValueError: Naming what is no phone, and its position.
    """
    found: list[str] = []

    def replace(match: re.Match) -> str:
        if word := match[5]:
            if (phones := lexicon.get(bare_word(word))) is None:
                return word
        else:
            word, phones = match[1] or match[3], _phones(match)
        label = re.sub(r"[^\w']+", "_", word or "").strip("_'")
        found.append(f"{{{label or '_'.join(phones)}|{'_'.join(phones)}}}")
        return FIRST + MORE * (len(match[0]) - 1)

    return PART.sub(replace, text), found


def show(text: str, found: Sequence[str]) -> str:
    """Put the pronunciations of ``hide`` in again, each as one word."""
    replacements = iter(found)
    return HIDDEN.sub(lambda _: next(replacements), JOINT.sub(" ", text))


def as_written(text: str) -> str:
    """A text with the words in place of their pronunciations."""
    return PRONOUNCED.sub(r"\1", text)


def _phones(match: re.Match) -> list[str]:
    group = 2 if match[2] is not None else 4
    phones = []
    for item in re.finditer(r"[^\s_]+", match[group]):
        try:
            phones.append(read_phone(item[0]))
        except ValueError as error:
            place = match.start(group) + item.start() + 1
            raise ValueError(f"character {place}, in {match[0]}: {error}") from None
    if not phones:
        raise ValueError(
            f"character {match.start() + 1}: expected phones in {match[0]}, such as "
            "{R EH1 D}; found none"
        )
    return phones
