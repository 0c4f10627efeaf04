"""Aligns utterances in several processes and survives whatever one of them does."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from espnet_uniwav.alignment.folder import Alignment

DIED = "the process that aligned it died, alone too; listen to the file"
AHEAD = 4

_aligner = None


def align_all(
    make_aligner: Callable[[], Callable], utterances: Iterable, num_processes: int
) -> Iterator[tuple[str, Alignment | str]]:
    """Align utterances, in no fixed order.

    When a process dies, the utterances that were on their way are tried again, each
    in a process of its own, so that one file costs no other.

    Args:
        make_aligner: Called once in every process; what it returns takes an utterance
            and returns an ``Alignment``. Both must be picklable.
        utterances: Each with a ``name``.
        num_processes: At least one.

    Yields:
        Name and alignment, or name and the reason why there is none.
    """
    queue = deque(utterances)
    while queue:
        lost = yield from _until_death(make_aligner, queue, num_processes)
        for utterance in lost:
            if (yield from _until_death(make_aligner, deque([utterance]), 1)):
                yield utterance.name, DIED


def try_align(aligner: Callable, utterance) -> Alignment | str:
    """The alignment of an utterance, or the reason why there is none."""
    try:
        return aligner(utterance)
    except (ValueError, OSError) as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _until_death(make_aligner, queue: deque, num_processes: int):
    """Work until the queue is empty or a process dies; return what was on its way."""
    context = multiprocessing.get_context("spawn")
    flying = {}
    with ProcessPoolExecutor(num_processes, context, _start, (make_aligner,)) as pool:
        try:
            while queue or flying:
                while queue and len(flying) < AHEAD * num_processes:
                    flying[pool.submit(_align, queue[0])] = queue[0]
                    queue.popleft()
                for future in wait(flying, return_when=FIRST_COMPLETED).done:
                    result = future.result()
                    yield flying.pop(future).name, result
        except BrokenProcessPool:
            return list(flying.values())
    return []


def _start(make_aligner: Callable[[], Callable]) -> None:
    global _aligner
    _aligner = make_aligner()


def _align(utterance) -> Alignment | str:
    return try_align(_aligner, utterance)
