"""What ESPnet's trainings do not notice in their data: no samples, another rate."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable

from espnet_uniwav.integrations.espnet.extend import extend
from espnet_uniwav.io.audio import rate_of
from espnet_uniwav.io.input import fields
from espnet_uniwav.io.units import parse_rate

SPEECH = "speech"
CUT = "`python -m espnet_uniwav.lab.corpora.prepare` makes tables without such files"


def check_data(task: type) -> None:
    """Make a task name utterances without samples, and warn of another rate.

    Args:
        task: ESPnet task with a part of ours. A second call has no effect.
    """
    extend(task, "build_collate_fn", _build_collate_fn)


class CheckedCollate:
    """A collate function that names an utterance without samples.

    Args:
        collate: As the task builds it.
    """

    def __init__(self, collate: Callable):
        self.collate = collate

    def __call__(self, data):
        """Make a batch of pairs of name and arrays."""
        for name, arrays in data:
            if SPEECH in arrays and not len(arrays[SPEECH]):
                raise ValueError(
                    f"{name}: expected speech, found 0 samples: take the utterance out "
                    f"of the tables of the training; {CUT}"
                )
        return self.collate(data)


def _build_collate_fn(build: Callable, args: argparse.Namespace, train: bool):
    """Build as the task does; warn when a training starts."""
    collate = build(args, train)
    rate = _rate(args)
    if rate is None:
        return collate
    if train:
        warn_of_rates(args, rate)
    return CheckedCollate(collate)


def _rate(args: argparse.Namespace) -> int | None:
    """Samples per second (Hz) that a part of ours expects; None: there is none."""
    if getattr(args, "frontend", None) == "uniwav":
        return parse_rate(args.frontend_conf.get("fs", 16000))
    if getattr(args, "tts", None) == "uniwav":
        return parse_rate(args.feats_extract_conf.get("sample_rate", 16000))
    return None


def warn_of_rates(args: argparse.Namespace, rate: int) -> None:
    """Compare the first recording of every table with a rate (Hz).

    ESPnet reads samples as they are, so that other recordings would train in silence.
    """
    for split in ("train", "valid"):
        tables = getattr(args, f"{split}_data_path_and_name_and_type", None) or ()
        for table in {path for path, name, kind in tables if kind == "sound"}:
            first = _first_recording(table)
            try:
                found = rate_of(first) if first else rate
            except (OSError, ValueError):
                continue  # ESPnet will say it
            if found != rate:
                logging.warning(
                    "%s: its first recording, %s, has %d samples per second, fs is %d: "
                    "resample the data (data.prepare makes 16000), or set fs",
                    *(table, first, found, rate),
                )


def _first_recording(table: str) -> str:
    """Path of the first line; empty if there is none, or a command."""
    try:
        with open(table, encoding="utf-8") as lines:
            path = (fields(lines.readline().rstrip("\n"), 2) + [""])[1]
    except (OSError, ValueError, IndexError):
        return ""
    return "" if path.endswith("|") else path
