"""Systems that are timed in turns: medians, ranges and ratios of their rounds."""

from __future__ import annotations

import argparse
import math
import statistics

# Of one turn: seconds of audio per second, CPU seconds per second of audio.
SPEED, CPU = "audio_s_per_s", "cpu_s_per_audio_s"
OURS = "uniwav"


def size(text: str) -> str:
    """Check ``layers x width``; heads are 64 wide, feed-forward networks 4 times D."""
    layers, _, width = text.partition("x")
    if not (layers.isdigit() and width.isdigit() and int(layers) * int(width)):
        raise argparse.ArgumentTypeError(f"expected LAYERSxWIDTH, found {text}")
    if int(width) % 64:
        raise argparse.ArgumentTypeError(f"expected a width of n x 64, found {width}")
    return text


def summarise(turns: list[dict], ours: list[dict]) -> dict:
    """Median, minimum and maximum over rounds, and how many times as fast ours is.

    Args:
        turns: Of one system, a turn in each round.
        ours: The same of our system; empty: it took no part.

    Returns:
        ``KEY_median``, ``KEY_min`` and ``KEY_max`` of both keys; ``ours_over_this``,
        the median of the ratios within a round.
    """
    row = {}
    for key in (SPEED, CPU):
        values = [turn[key] for turn in turns]
        row[f"{key}_median"] = statistics.median(values)
        row[f"{key}_min"], row[f"{key}_max"] = min(values), max(values)
    ratios = [own[SPEED] / turn[SPEED] for own, turn in zip(ours, turns)]
    row["ours_over_this"] = statistics.median(ratios) if ratios else math.nan
    return row


def format_ranges(row: dict) -> list[str]:
    """Cells of speed and CPU time: median (minimum to maximum)."""
    return [
        "{:.3g} ({:.3g} to {:.3g})".format(
            *(row[f"{key}_{name}"] for name in ("median", "min", "max"))
        )
        for key in (SPEED, CPU)
    ]


def format_known(value: float, spec: str) -> str:
    """Write a number, or a dash where there is none."""
    return "-" if math.isnan(value) else format(value, spec)
