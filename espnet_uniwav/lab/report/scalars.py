"""Training curves from the TensorBoard folder written by ESPnet."""

from __future__ import annotations

from dataclasses import dataclass
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

    train: Scalars
    train_epochs: Scalars
    valid: Scalars


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
    """Read the curves of an ESPnet experiment folder; empty if there are none.

    At the end of an epoch ESPnet writes the mean over the epoch after the mean over
    the last interval, often at the same step, and the epoch's number as `iter_epoch`.
    """
    folder = Path(experiment) / "tensorboard"
    scalars = read_scalars(folder / "train")
    ends = scalars.get("iter_epoch", ([], []))[0]
    curves = Curves({}, {}, read_scalars(folder / "valid"))
    for tag, (steps, values) in scalars.items():
        last_of_step = np.append(np.diff(steps) > 0, True)
        is_mean = np.isin(steps, ends) & last_of_step
        curves.train[tag] = steps[~is_mean], values[~is_mean]
        curves.train_epochs[tag] = steps[is_mean], values[is_mean]
    return curves


def _last_run(events: list) -> tuple[np.ndarray, np.ndarray]:
    kept: list = []
    for event in events:
        if kept and kept[-1].step > event.step:
            kept = [k for k in kept if k.step < event.step]
        kept.append(event)
    return np.array([e.step for e in kept]), np.array([e.value for e in kept])
