"""Phone ABX: is a phone X closer to the same phone A than to another phone B?

By fastabx, as in ZeroSpeech 2021: angular distance of frames, averaged over the path of
dynamic time warping; up to 10 instances of A, B and X in a cell, and 5 speakers of X.
"""

from __future__ import annotations

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
from espnet_uniwav.lab.score.bootstrap import Estimate, draw, percentiles
from espnet_uniwav.lab.understand.states import Frames

PHONE, *CONTEXT, SPEAKER = COLUMNS[3:]
WITHIN, ACROSS = "within", "across"
OF_SPEAKERS = {WITHIN: "within speaker", ACROSS: "across speakers"}
# Name -> title.
MEASURES = {
    f"{u}_{s}": f"{u} {words}" for u in UNITS for s, words in OF_SPEAKERS.items()
}
CHANCE = 0.5
MAX_GROUP, MAX_X_ACROSS = 10, 5
NOTHING = Estimate(*[float("nan")] * 3)


@dataclass(frozen=True)
class AbxScore:
    """One layer of one system.

    Attributes:
        system: Name of the model.
        layer: Name of the layer, see ``States``.
        errors: Error rate by measure, a share; NaN where there is nothing to compare.
        facts: More columns for the table.
    """

    system: str
    layer: str
    errors: dict[str, Estimate]
    facts: dict = field(default_factory=dict)

    @property
    def row(self) -> dict:
        """Its line of the table."""
        row = {"system": self.system, "layer": self.layer}
        for m, error in self.errors.items():
            row.update({m: error.value, f"{m}_low": error.low, f"{m}_high": error.high})
        return {**row, **self.facts}

    def __str__(self) -> str:
        errors = (
            f"{MEASURES[m]} {100 * e.value:.1f} %" for m, e in self.errors.items()
        )
        return f"{self.system}, {self.layer}: phone ABX errors: {', '.join(errors)}"


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
        errors = {m: self._error(*m.split("_"), states) for m in MEASURES}
        return AbxScore(system, layer, errors, self.facts)

    def _error(self, unit: str, speaker: str, states: np.ndarray) -> Estimate:
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


def error_rate(pairs: np.ndarray, speakers: np.ndarray, errors: np.ndarray) -> Estimate:
    """Average the errors of cells over each pair of phones, then over pairs.

    Args:
        pairs: (C,) str, phones of A and B.
        speakers: (C,) str, speaker of A and B.
        errors: (C,) shares.

    Returns:
        The error rate; speakers are drawn again for its interval.
    """
    pairs, speakers = (np.unique(x, return_inverse=True)[1] for x in (pairs, speakers))
    sums, counts = np.zeros((2, pairs.max() + 1, speakers.max() + 1))
    np.add.at(sums, (pairs, speakers), errors)
    np.add.at(counts, (pairs, speakers), 1)
    draws = np.vstack([np.ones(sums.shape[1]), draw(sums.shape[1])])
    totals = draws @ counts.T
    rates = np.where(totals > 0, draws @ sums.T / np.maximum(totals, 1), np.nan)
    value, *again = np.nanmean(rates, axis=1)
    return Estimate(float(value), *percentiles(again))
