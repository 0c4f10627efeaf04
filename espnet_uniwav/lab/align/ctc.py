"""Alignments by a recogniser trained with CTC, through torchaudio's ``forced_align``.

CTC emits a token in few frames, often in one or two. So every token is extended over
the blank frames on either side, up to the middle between two tokens and at most by
``REACH`` seconds. The remaining frames are silence. A word lasts from its first token
to its last. Frame i of T covers the i-th of T equal parts of the audio, which is
accurate to about half a frame of the model.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torchaudio.functional import forced_align, merge_tokens

from espnet_uniwav.apps.phones.alignment import Alignment
from espnet_uniwav.apps.phones.ctm import (
    SILENCE,
    Segment,
    check_segments,
    fill_gaps,
)
from espnet_uniwav.apps.phones.lexicon import ARPABET, NO_TEXT, strip_stress
from espnet_uniwav.io.audio import read_speech

REACH = 0.1
SPACE = "<space>"
WORD_START = "\u2581"


class CTCAligner:
    """Aligns one utterance after the other.

    Attributes:
        unit: ``phones`` if all tokens of the model are ARPAbet phones, else ``tokens``.

    Args:
        recogniser: With ``tokens`` (list of V names), ``blank`` (index),
            ``sample_rate`` (Hz), ``whole_words`` (each token is a word),
            ``tokenize(text) -> [token]`` and ``log_probs(speech) -> (T, V)``.
    """

    def __init__(self, recogniser):
        self.recogniser = recogniser
        self.unit = "phones" if are_phones(recogniser.tokens) else "tokens"
        self._index = {token: i for i, token in enumerate(recogniser.tokens)}
        self._has_words = recogniser.whole_words or any(
            token == SPACE or token.startswith(WORD_START)
            for token in recogniser.tokens
        )

    def __call__(self, utterance) -> Alignment:
        """Align an utterance with a ``name``, a ``path`` and a ``text``.

        Raises:
            OSError, ValueError: If the audio or the text cannot be used, or if the
                text is too long for the audio.
        """
        name, recogniser = utterance.name, self.recogniser
        tokens = self._tokenize(utterance.text)
        speech = read_speech(utterance.path, recogniser.sample_rate)
        seconds = len(speech) / recogniser.sample_rate
        log_probs = recogniser.log_probs(speech)
        targets = [self._index[token] for token in tokens]
        starts, ends = align_tokens(log_probs, targets, recogniser.blank)
        frame = seconds / len(log_probs)
        spoken = np.array([token != SPACE for token in tokens])
        times = extend_tokens(starts[spoken] * frame, ends[spoken] * frame, seconds)
        labels = [self._label(token) for token in tokens if token != SPACE]
        words = None
        if self._has_words:
            words = join_words(word_of(tokens, recogniser.whole_words)[spoken], *times)
            words = label_words(words, utterance.text)
            words = check_segments(name, name, words)
        units = [Segment(*entry) for entry in zip(*times, labels)]
        return Alignment(check_segments(name, name, fill_gaps(units, seconds)), words)

    def _tokenize(self, text: str) -> list[str]:
        if not text.replace(NO_TEXT, "").strip():
            raise ValueError("no text")
        tokens = self.recogniser.tokenize(text)
        unknown = sorted({token for token in tokens if token not in self._index})
        if unknown:
            raise ValueError(
                f"the model has no token {', '.join(map(repr, unknown))}: write the "
                "text as in its training"
            )
        return tokens

    def _label(self, token: str) -> str:
        return strip_stress(token) if self.unit == "phones" else token


def are_phones(tokens: Sequence[str]) -> bool:
    """Whether all tokens but those in <...> are ARPAbet phones, or SIL."""
    names = {strip_stress(token) for token in tokens if not token.startswith("<")}
    return bool(names) and names <= ARPABET | {SILENCE}


def align_tokens(
    log_probs: Tensor, targets: Sequence[int], blank: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """The most likely frames of every token.

    Args:
        log_probs: (T, V).
        targets: L indices, none of them the blank.
        blank: Index.

    Returns:
        First (L,) and one-past-last (L,) frames.

    Raises:
        ValueError: If there are fewer frames than the tokens need.
    """
    repeats = sum(a == b for a, b in zip(targets, targets[1:]))
    if len(log_probs) < len(targets) + repeats:
        raise ValueError(
            f"the text needs at least {len(targets) + repeats} frames of the model, "
            f"the audio has {len(log_probs)}: does the text belong to it?"
        )
    path, scores = _forced_align(log_probs, targets, blank)
    spans = merge_tokens(path, scores, blank)
    return np.array([s.start for s in spans]), np.array([s.end for s in spans])


def extend_tokens(
    starts: np.ndarray, ends: np.ndarray, seconds: float, reach: float = REACH
) -> tuple[np.ndarray, np.ndarray]:
    """Extend every token into the gaps beside it.

    Args:
        starts, ends: (L,) seconds.
        seconds: Duration of the audio.
        reach: Largest extension on either side (seconds).
    """
    gaps = np.append(starts, seconds) - np.append(0.0, ends)
    share = np.minimum(gaps / 2, reach)
    return starts - share[:-1], ends + share[1:]


def word_of(tokens: Sequence[str], whole_words: bool = False) -> np.ndarray:
    """Index of the word of each token (L,), counted from any number."""
    if whole_words:
        return np.arange(len(tokens))
    return np.cumsum([t == SPACE or t.startswith(WORD_START) for t in tokens])


def join_words(
    words: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends of words, from those of their tokens (L,)."""
    first = np.flatnonzero(np.diff(words, prepend=-1))
    last = np.append(first[1:], len(words)) - 1
    return starts[first], ends[last]


def label_words(times: tuple[np.ndarray, np.ndarray], text: str) -> list[Segment]:
    """Label word intervals with the words of a text.

    Raises:
        ValueError: If the numbers of words and intervals differ.
    """
    names = text.split()
    if len(names) != len(times[0]):
        raise ValueError(
            f"the text has {len(names)} words, its tokens make {len(times[0])}: write "
            "the text as in the training of the model"
        )
    return [Segment(*entry) for entry in zip(*times, names)]


def _forced_align(log_probs: Tensor, targets: Sequence[int], blank: int):
    """torchaudio's ``forced_align``: tokens and scores of the best path, (T,) each."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path, scores = forced_align(
            log_probs.float().cpu()[None], torch.tensor([targets]), blank=blank
        )
    return path[0], scores[0]
