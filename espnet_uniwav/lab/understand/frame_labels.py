"""Phone and speaker labels of every frame."""

from __future__ import annotations

from collections import Counter

import numpy as np

from espnet_uniwav.apps.phones.ctm import SILENCE, Segment, frame_labels
from espnet_uniwav.io.kaldi import MIN_UTTERANCES
from espnet_uniwav.lab.understand.states import Frames

NONE = ""


def phone_labels(frames: Frames, alignments: dict[str, list[Segment]]) -> np.ndarray:
    """(N,) phone at the centre of each kept frame.

    Empty without an alignment, and in silence, which can be detected by loudness alone.
    """
    labels = []
    for utterance, length, kept in zip(frames.utterances, frames.lengths, frames.kept):
        segments = alignments.get(utterance.name)
        if segments is None:
            labels.append(np.full(len(kept), NONE))
        else:
            labels.append(frame_labels(segments, length, frames.frame_rate)[kept])
    labels = np.concatenate(labels)
    return np.where(labels == SILENCE, NONE, labels)


def speaker_labels(frames: Frames) -> np.ndarray:
    """(N,) speaker of each kept frame; empty for speakers of under four utterances.

    With fewer, speaker and utterance cannot be distinguished.
    """
    counts = Counter(u.speaker for u in frames.utterances if u.speaker)
    enough = {speaker for speaker, count in counts.items() if count >= MIN_UTTERANCES}
    names = (u.speaker if u.speaker in enough else NONE for u in frames.utterances)
    return np.array(list(names))[frames.owner]
