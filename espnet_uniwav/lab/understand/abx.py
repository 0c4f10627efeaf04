"""Phone ABX: is a phone X closer to the same phone A than to another phone B?

By fastabx, as in ZeroSpeech 2021: angular distance of frames, averaged over the path of
dynamic time warping; up to 10 instances of A, B and X in a cell, and 5 speakers of X.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from espnet_uniwav.apps.phones.ctm import Segment
from espnet_uniwav.lab.align.items import (
    COLUMNS,
    TRIPHONE,
    UNITS,
    Item,
    make_items,
)
from espnet_uniwav.lab.score.resampling import PERCENTILES, draw
from espnet_uniwav.lab.understand.states import Frames

PHONE, *CONTEXT, SPEAKER = COLUMNS[3:]
WITHIN, ACROSS = "within", "across"
MEASURES = [f"{unit}_{speaker}" for unit in UNITS for speaker in (WITHIN, ACROSS)]
CHANCE = 0.5
MAX_GROUP, MAX_X_ACROSS = 10, 5
NOTHING = (float("nan"),) * 3


@dataclass(frozen=True)
class AbxScore:
    """One layer of one system.

    Attributes:
        system: Name of the model.
        layer: Name of the layer, see ``States``.
        errors: Error rate by measure, a share, and its 95 % interval; NaN where there
            is nothing to compare.
        facts: More columns for the table.
        seconds: Time it took.
    """

    system: str
    layer: str
    errors: dict[str, tuple[float, float, float]]
    facts: dict = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def row(self) -> dict:
        """Its line of the table."""
        row = {"system": self.system, "layer": self.layer}
        for measure, values in self.errors.items():
            names = measure, f"{measure}_low", f"{measure}_high"
            row.update(zip(names, values))
        return {**row, **self.facts}

    def __str__(self) -> str:
        said = ", ".join(
            f"{title(m)} {100 * error:.1f} %" for m, (error, *_) in self.errors.items()
        )
        place = f"{self.system}, {self.layer}"
        return f"{place}: phone ABX errors: {said} ({self.seconds:.0f} s)"


class AbxScorer:
    """Measures layers on the same items.

    Args:
        frames: All frames of whole utterances.
        alignments: Phones of utterances.
        seed: Of the choice of instances.
        device: Torch device to compare on.
    """

    def __init__(
        self,
        frames: Frames,
        alignments: Mapping[str, Sequence[Segment]],
        seed: int = 0,
        device: str | torch.device = "cpu",
    ):
        self.seed = seed
        self.device = torch.device(device)
        speakers = {u.name: u.speaker for u in frames.utterances}
        self.items = {
            unit: locate(make_items(alignments, speakers, unit), frames)
            for unit in UNITS
        }
        used = [item for item, *_ in self.items[TRIPHONE]]
        self.facts = {
            "items": len(used),
            "phones": len({item.phone for item in used}),
            "speakers": len({item.speaker for item in used}),
            "utterances": sum(u.name in alignments for u in frames.utterances),
        }

    def score(self, system: str, layer: str, states: np.ndarray) -> AbxScore:
        """Score the states (N, D) of one layer."""
        start, errors = time.perf_counter(), {}
        for unit in UNITS:
            for speaker in (WITHIN, ACROSS):
                errors[f"{unit}_{speaker}"] = self._error(unit, speaker, states)
        seconds = time.perf_counter() - start
        return AbxScore(system, layer, errors, self.facts, seconds)

    def _error(self, unit: str, speaker: str, states: np.ndarray) -> tuple:
        """Compare triphones in equal contexts, phonemes in any."""
        import polars
        from fastabx import (
            Dataset,
            EmptyTaskError,
            InMemoryAccessor,
            Score,
            Subsampler,
            Task,
        )

        context = CONTEXT if unit == TRIPHONE else []
        by, across = [*context, SPEAKER], []
        if speaker == ACROSS:
            by, across = context, [SPEAKER]
        items = self.items[unit]
        if not items:
            return NOTHING
        labels = polars.DataFrame([i for i, *_ in items], schema=COLUMNS, orient="row")
        bounds = {i: place for i, (_, *place) in enumerate(items)}
        accessor = InMemoryAccessor(bounds, torch.from_numpy(states), self.device)
        sampler = Subsampler(MAX_GROUP, MAX_X_ACROSS, self.seed)
        dataset = Dataset(labels, accessor)
        try:
            task = Task(dataset, on=PHONE, by=by, across=across, subsampler=sampler)
        except EmptyTaskError:
            return NOTHING
        score = Score(task, "angular", progress=False)
        cells = score.details(levels=[tuple(context)] if context else [])
        pairs = cells[PHONE] + " " + cells[f"{PHONE}_b"]
        columns = pairs, cells[SPEAKER], cells["score"]
        return error_rate(*(column.to_numpy() for column in columns))


def locate(items: list[Item], frames: Frames) -> list[tuple[Item, int, int]]:
    """Find the frames of items, with their centres as in ``frame_labels``.

    Returns:
        Item, and its first and last + 1 row in the states; without items that are too
        short to hold the centre of a frame.
    """
    centres = np.arange(frames.lengths.max()) / frames.frame_rate
    names = [u.name for u in frames.utterances]
    ends = np.cumsum(frames.lengths)
    rows = dict(zip(names, zip(ends - frames.lengths, frames.lengths)))
    located = []
    for item in items:
        start, length = rows[item.file]
        bounds = np.searchsorted(centres, (item.onset, item.offset)).clip(max=length)
        first, last = (start + bounds).tolist()
        if first < last:
            located.append((item, first, last))
    return located


def error_rate(
    pairs: np.ndarray, speakers: np.ndarray, errors: np.ndarray
) -> tuple[float, float, float]:
    """Average the errors of cells over each pair of phones, then over pairs.

    Args:
        pairs: (C,) str, phones of A and B.
        speakers: (C,) str, speaker of A and B.
        errors: (C,) shares.

    Returns:
        The error rate, and its 95 % interval: speakers drawn again.
    """
    pairs, speakers = (np.unique(x, return_inverse=True)[1] for x in (pairs, speakers))
    sums, counts = np.zeros((2, pairs.max() + 1, speakers.max() + 1))
    np.add.at(sums, (pairs, speakers), errors)
    np.add.at(counts, (pairs, speakers), 1)
    draws = np.vstack([np.ones(sums.shape[1]), draw(sums.shape[1])])
    totals = draws @ counts.T
    rates = np.where(totals > 0, draws @ sums.T / np.maximum(totals, 1), np.nan)
    value, *again = np.nanmean(rates, axis=1)
    return float(value), *np.percentile(again, PERCENTILES).tolist()


def title(measure: str) -> str:
    """A measure in words."""
    return f"{measure.replace('_', ' ')} speaker" + "s" * measure.endswith(ACROSS)
