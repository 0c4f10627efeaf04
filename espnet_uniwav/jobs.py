"""The same work for many names: what fails is listed, and the rest goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

FAILED, TIMES = "failed.tsv", "times.tsv"
_work: Callable[[Any], Any]


@dataclass(frozen=True)
class Outcome:
    """What came of one piece of work.

    Attributes:
        name: Of the item.
        value: What the work returned; None if it failed.
        reason: Why it failed, in one line; empty if it did not.
        spent: Seconds.
    """

    name: str
    value: Any
    reason: str
    spent: float


def do_all(
    prepare: Callable[[], Callable[[Any], Any]],
    items: Mapping[str, Any],
    num_workers: int = 1,
    title: str = "",
) -> Iterator[Outcome]:
    """Do the work for every item, with a progress bar.

    ValueError and OSError of an item are part of its outcome.

    Args:
        prepare: Makes the work, once per process; picklable for several processes.
        items: Name -> what the work is given.
        num_workers: Processes, with one thread each; 1: this one, as it is.
        title: Of the progress bar.

    Yields:
        Outcomes in the order of the items.
    """
    bar = tqdm(total=len(items), desc=title, unit="utt", disable=None)
    with bar:
        for outcome in _outcomes(prepare, items, num_workers):
            bar.update()
            yield outcome


def write_outcomes(folder: Path, outcomes: Iterable[Outcome]) -> int:
    """Write failed.tsv (name, reason) and times.tsv (seconds of computing, of speech).

    Args:
        folder: Existing.
        outcomes: Whose values are seconds of speech.

    Returns:
        How many failed.
    """
    failed, times = ["name\treason\n"], ["name\tspent\tspoken\n"]
    for own in outcomes:
        if own.reason:
            failed.append(f"{own.name}\t{own.reason}\n")
        else:
            times.append(f"{own.name}\t{own.spent:.4f}\t{own.value:.4f}\n")
    (folder / FAILED).write_text("".join(failed), encoding="utf-8")
    (folder / TIMES).write_text("".join(times), encoding="utf-8")
    return len(failed) - 1


def _outcomes(prepare, items: Mapping[str, Any], num_workers: int):
    if num_workers <= 1:
        _start(prepare, None)
        yield from map(_do, items.items())
        return
    with ProcessPoolExecutor(
        num_workers, get_context("spawn"), _start, (prepare, 1)
    ) as pool:
        yield from pool.map(_do, items.items())


def _start(prepare, num_threads: int | None) -> None:
    global _work
    if num_threads is not None:
        torch.set_num_threads(num_threads)
    _work = prepare()


def _do(named: tuple[str, Any]) -> Outcome:
    name, item = named
    start = time.perf_counter()
    try:
        value, reason = _work(item), ""
    except (ValueError, OSError) as error:
        value, reason = None, " ".join(str(error).split()) or type(error).__name__
    return Outcome(name, value, reason, time.perf_counter() - start)
