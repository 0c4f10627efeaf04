"""One function applied to many items: failures are listed, the rest continues."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tqdm import tqdm

from espnet_uniwav.io.output import write_text
from espnet_uniwav.io.tables import write_tsv

FAILED, TIMES = "failed.tsv", "times.tsv"
DIED = "the process that worked on it died, alone too; look at the file"
AHEAD = 4

# Of a process of the pool: its work, and its state.
_work: Callable[[Any], Any]
_working, _terminating = False, False


@dataclass(frozen=True)
class Outcome:
    """Result of the work on one item.

    Attributes:
        name: Name of the item.
        value: Return value; None if the work failed.
        reason: Reason of the failure, in one line; else empty.
        spent: Computing time (seconds).
    """

    name: str
    value: Any
    reason: str
    spent: float = 0.0


def process_all(
    prepare: Callable[[], Callable[[Any], Any]],
    items: Mapping[str, Any],
    num_workers: int = 0,
    title: str = "",
) -> Iterator[Outcome]:
    """Apply a function to every item, with a progress bar.

    An exception is part of the outcome of its item. When a process dies, the items in
    work are tried again, each in its own process, so that one failure affects no other
    item.

    Args:
        prepare: Returns the function, once per process; picklable if there are workers.
        items: Name -> argument of the function.
        num_workers: Processes, with one thread each; 0: the main process.
        title: Title of the progress bar.

    Yields:
        Outcomes in the order of the items.
    """
    if num_workers:
        outcomes = _in_processes(prepare, items, num_workers)
    else:
        work = prepare()
        outcomes = (_attempt(work, *named) for named in items.items())
    yield from tqdm(outcomes, desc=title, unit="utt", total=len(items), disable=None)


def write_outcomes(folder: Path, outcomes: Iterable[Outcome]) -> int:
    """Write failed.tsv, and times.tsv (name, seconds of computing, of speech).

    Rows of earlier runs stay in times.tsv; a new row replaces that of its name. Every
    row is written at once, so that an interrupted run leaves its rows.

    Args:
        folder: An existing folder.
        outcomes: Their values are seconds of speech.

    Returns:
        How many failed.
    """
    reasons, times = {}, _read_times(folder / TIMES)
    _write_times(folder / TIMES, times)
    with open(folder / TIMES, "a", encoding="utf-8", newline="") as file:
        for own in outcomes:
            times.pop(own.name, None)
            if own.reason:
                reasons[own.name] = own.reason
                continue
            times[own.name] = f"{own.name}\t{own.spent:.4f}\t{own.value:.4f}\n"
            file.write(times[own.name])
            file.flush()
    write_failed(folder, reasons)
    _write_times(folder / TIMES, times)
    return len(reasons)


def _read_times(path: Path) -> dict[str, str]:
    """Name -> whole row; the last one of a name, as an interrupted run leaves it."""
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    rows = [line for line in lines[1:-1] if line.count("\t") == 2]
    return {row.partition("\t")[0]: f"{row}\n" for row in rows}


def _write_times(path: Path, rows: Mapping[str, str]) -> None:
    write_text(path, "".join(["name\tspent\tspoken\n", *rows.values()]))


def write_failed(folder: Path, reasons: Mapping[str, str]) -> None:
    """Write failed.tsv (name, reason) to an existing folder."""
    rows = ((name, " ".join(why.split())) for name, why in reasons.items())
    write_tsv(folder / FAILED, ("name", "reason"), rows)


def check_failures(
    summary: str, folder: Path, done: int, failed: int, allow_failed: bool = False
) -> str:
    """Decide whether a command succeeded, and add failures to its summary.

    Args:
        summary: What was done.
        folder: Holds failed.tsv.
        done: Items that are done, now or by an earlier run.
        failed: Items that are not.
        allow_failed: Some may fail; not all.

    Returns:
        The summary.

    Raises:
        ValueError: With the summary, if nothing is done or something failed.
    """
    if failed:
        summary += f"; {failed} failed, see {folder / FAILED}"
    if not done or (failed and not allow_failed):
        raise ValueError(summary)
    return summary


def _in_processes(prepare, items: Mapping[str, Any], num_workers: int):
    queue = deque(items.items())
    while queue:
        lost = yield from _run_pool(prepare, queue, num_workers)
        for name, item in lost:
            if (yield from _run_pool(prepare, deque([(name, item)]), 1)):
                yield Outcome(name, None, DIED)


def _run_pool(prepare, queue: deque, num_workers: int):
    """Work until the queue is empty or a process dies; return unfinished items."""
    pending = deque()
    executor = ProcessPoolExecutor(
        num_workers, get_context("spawn"), _start, (prepare,)
    )
    with executor as pool:
        try:
            while queue or pending:
                while queue and len(pending) < AHEAD * num_workers:
                    with _block_interrupts():
                        pending.append((queue[0], pool.submit(_do, *queue[0])))
                    queue.popleft()
                outcome = pending[0][1].result()
                pending.popleft()
                yield outcome
        except BrokenProcessPool:
            return [named for named, _ in pending]
        except BaseException:  # interrupted, or nobody wants the other outcomes
            _terminate_workers(pool)
            raise
    return []


@contextmanager
def _block_interrupts() -> Iterator[None]:
    """Context in which processes start that ignore Ctrl-C: this one ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _terminate_workers(pool: ProcessPoolExecutor) -> None:
    """End the processes of a pool; what they were writing is removed."""
    # A process that ends while it answers leaves half an answer: nobody waits for more.
    pool._result_queue._writer.close()
    for process in list(pool._processes.values()):
        process.terminate()


def _start(prepare) -> None:
    global _work
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _work = prepare()
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
    signal.signal(signal.SIGTERM, _terminate)


def _terminate(*_) -> None:
    """End this process, at work by an exception, so that it cleans up."""
    global _terminating
    if not _working:
        os._exit(1)
    if not _terminating:
        _terminating = True
        raise SystemExit


def _do(name: str, item: Any) -> Outcome:
    global _working
    _working = True
    try:
        return _attempt(_work, name, item)
    finally:
        if _terminating:
            os._exit(1)  # of an exception alone, the pool would make an answer
        _working = False


def _attempt(work, name: str, item: Any) -> Outcome:
    start = time.perf_counter()
    value, reason = None, ""
    try:
        value = work(item)
    except (ValueError, OSError) as error:
        reason = str(error) or type(error).__name__
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
    return Outcome(name, value, " ".join(reason.split()), time.perf_counter() - start)
