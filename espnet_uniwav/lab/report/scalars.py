"""Training curves from the TensorBoard folder written by ESPnet."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

# Tag -> (steps, values), both of shape (points,).
Scalars = dict[str, tuple[np.ndarray, np.ndarray]]


@dataclass
class Curves:
    """The scalars of a training.

    Attributes:
        train: Means over each logging interval, by step.
        train_epochs: Means over each training epoch, at the epoch's last step.
        valid: Means over the validation set, at the epoch's last step.
    """

    train: Scalars = field(default_factory=dict)
    train_epochs: Scalars = field(default_factory=dict)
    valid: Scalars = field(default_factory=dict)


def read_scalars(folder: str | Path) -> Scalars:
    """Read all scalars below a folder of TensorBoard event files.

    If a resumed training repeated a step, its last value is kept.

    Returns:
        Tag -> (steps, values) in the order of the steps. Empty without event files.
    """
    from tensorboard.backend.event_processing.event_accumulator import (
        SCALARS,
        EventAccumulator,
    )

    if not any(Path(folder).glob("*tfevents*")):
        return {}
    events = EventAccumulator(str(folder), size_guidance={SCALARS: 0})
    events.Reload()
    return {tag: _last_run(events.Scalars(tag)) for tag in events.Tags()[SCALARS]}


def read_curves(experiment: str | Path) -> Curves:
    """Read the curves of an ESPnet experiment folder; empty if there are none."""
    folder = Path(experiment) / "tensorboard"
    train, train_epochs = split_epoch_means(read_scalars(folder / "train"))
    return Curves(train, train_epochs, read_scalars(folder / "valid"))


def split_epoch_means(scalars: Scalars) -> tuple[Scalars, Scalars]:
    """Split what ESPnet writes under one tag: interval means and epoch means.

    At the end of an epoch ESPnet writes the mean over the epoch after the mean over
    the last interval, often at the same step, and the epoch's number as `iter_epoch`.
    """
    ends = set(scalars.get("iter_epoch", ([], []))[0])
    intervals, epochs = {}, {}
    for tag, (steps, values) in scalars.items():
        last_of_step = np.append(np.diff(steps) > 0, True)
        is_mean = np.isin(steps, list(ends)) & last_of_step
        intervals[tag] = steps[~is_mean], values[~is_mean]
        epochs[tag] = steps[is_mean], values[is_mean]
    return intervals, epochs


def _last_run(events: list) -> tuple[np.ndarray, np.ndarray]:
    kept: list = []
    for event in events:
        if kept and kept[-1].step > event.step:
            kept = [k for k in kept if k.step < event.step]
        kept.append(event)
    return np.array([e.step for e in kept]), np.array([e.value for e in kept])
