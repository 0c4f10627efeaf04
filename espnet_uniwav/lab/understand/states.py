"""States of all layers of a model over a corpus, frame by frame."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from espnet_uniwav.core.batches import make_batches
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.core.nn.masks import drop_if_unpadded, lengths_to_padding_mask
from espnet_uniwav.io.audio import read_speech, seconds_of
from espnet_uniwav.io.kaldi import Utterance
from espnet_uniwav.io.source import Source

FEATURES, SUM = "features", "z"
BATCH_FRAMES = 4000


@dataclass(frozen=True)
class Frames:
    """The kept frames of a corpus.

    Attributes:
        utterances: U of them, in the order of the frames.
        lengths: (U,) frames of each utterance, before thinning.
        step: Every step-th frame is kept.
        frame_rate: Frames per second (Hz), before thinning.
    """

    utterances: list[Utterance]
    lengths: np.ndarray
    step: int
    frame_rate: float

    @property
    def kept(self) -> list[np.ndarray]:
        """Indices of the kept frames of each utterance."""
        return [np.arange(self.step // 2, n, self.step) for n in self.lengths]

    @property
    def owner(self) -> np.ndarray:
        """(N,) index of the utterance of each kept frame."""
        counts = [len(kept) for kept in self.kept]
        return np.repeat(np.arange(len(counts)), counts)

    def pick(self, codes: dict[str, np.ndarray]) -> np.ndarray:
        """Select the codes (K, N) of the kept frames from (K, C) per utterance.

        A code may stand for several frames: always the same number, but at the end.

        Raises:
            ValueError: If an utterance has no codes, or not those of all of its frames.
        """
        picked = []
        for utterance, length, kept in zip(self.utterances, self.lengths, self.kept):
            own = codes.get(utterance.name)
            found = 0 if own is None else own.shape[1]
            frames = -(-length // max(found, 1))  # of a code
            if -(-length // frames) != found:
                raise ValueError(
                    f"{utterance.name}: expected codes of {length} frames, found "
                    f"{found or 'none'}: make them with `uniwav tokenize` of the same "
                    "data"
                )
            picked.append(own[:, kept // frames])
        return np.concatenate(picked, axis=1)


@dataclass(frozen=True)
class States:
    """The states of all layers at the kept frames.

    Attributes:
        frames: Where they come from.
        layers: Arrays (N, D) by name: ``features``, ``0`` to the number of layers,
            and, with a decoder, ``z``.
    """

    frames: Frames
    layers: dict[str, np.ndarray]


def collect_states(
    model: UniWav,
    utterances: list[Utterance],
    max_frames: int | None = None,
) -> States:
    """Compute the states of all layers, reading every utterance once.

    Args:
        model: In eval mode; its device is used.
        utterances: Utterances to read.
        max_frames: Keep every step-th frame, so that about this many remain.

    Raises:
        FileNotFoundError, ValueError: Naming a file that cannot be read.
    """
    rate = model.features.spec.frame_rate
    estimates, step = estimate_frames(model, utterances, max_frames)
    pieces: dict[str, list] = {}
    lengths = np.zeros(len(utterances), int)
    with tqdm(total=len(utterances), desc="states", unit="utt", disable=None) as bar:
        for batch in make_batches(estimates, BATCH_FRAMES):
            states, found = _run(model, [utterances[i].path for i in batch])
            for name, state in states.items():
                places = pieces.setdefault(name, [None] * len(utterances))
                for row, i in enumerate(batch):
                    places[i] = state[row, step // 2 : found[row] : step].numpy().copy()
            lengths[batch] = found
            bar.update(len(batch))
    layers = {name: np.concatenate(pieces.pop(name)) for name in list(pieces)}
    return States(Frames(utterances, lengths, step, rate), layers)


def estimate_frames(
    model: UniWav, utterances: list[Utterance], max_frames: int | None
) -> tuple[list[int], int]:
    """Frames of each utterance, about, and the step that keeps about ``max_frames``."""
    rate = model.features.spec.frame_rate
    estimates = [math.ceil(seconds_of(u.path) * rate) for u in utterances]
    return estimates, math.ceil(sum(estimates) / max_frames) if max_frames else 1


@torch.inference_mode()
def _run(model: UniWav, paths: list[Source]) -> tuple[dict[str, Tensor], list[int]]:
    """All states (B, T, D) of some files, on the CPU, and their valid frames."""
    device = next(model.parameters()).device
    rate = model.features.spec.sample_rate
    speech = [torch.from_numpy(read_speech(path, rate)) for path in paths]
    speech_lengths = torch.tensor([len(s) for s in speech], device=device)
    speech = pad_sequence(speech, batch_first=True).to(device)
    x, lengths = model.features.extract(speech, speech_lengths)
    padding_mask = drop_if_unpadded(lengths_to_padding_mask(lengths, x.shape[1]))
    hidden_states = model.hidden_states(x, padding_mask)
    states = {FEATURES: x, **{str(i): h for i, h in enumerate(hidden_states)}}
    if model.weighted_sum is not None:
        states[SUM] = model.weighted_sum(hidden_states)
    return {name: state.cpu() for name, state in states.items()}, lengths.tolist()
