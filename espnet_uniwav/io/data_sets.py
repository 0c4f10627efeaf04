"""Data sets of other toolkits, which stand wherever a folder of speech does."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from espnet_uniwav.io.huggingface import find_rows
from espnet_uniwav.io.lhotse import find_cuts
from espnet_uniwav.io.source import Utterance


def find_data_set(path: str | Path) -> dict[str, Iterable[Utterance]] | None:
    """The utterances of a data set of Hugging Face or lhotse.

    Args:
        path: See ``find_rows`` and ``find_cuts``.

    Returns:
        Name of each part -> its utterances: a list if none of them holds audio, else an
        iterator, to be used once; None: the path is no data set.

    Raises:
        ValueError, ImportError: As of ``find_rows`` and ``find_cuts``.
    """
    path = Path(path)
    return find_cuts(path) or find_rows(path)
