"""Batches of utterances of similar length."""

from __future__ import annotations


def make_batches(lengths: list[int], max_frames: int) -> list[list[int]]:
    """Indices grouped by length, so that longest * size stays within max_frames."""
    batches: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        if not batches or lengths[i] * (len(batches[-1]) + 1) > max_frames:
            batches.append([])
        batches[-1].append(i)
    return batches
