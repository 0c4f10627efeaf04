"""Settings of a process that computes on CPUs, made before torch is imported."""

from __future__ import annotations

import ctypes
import os

SPINS = "GOMP_SPINCOUNT"
MANY_SPINS = 30_000  # a tenth of a millisecond or two; the default is ten times that


def tune_process() -> None:
    """Keep freed memory, and do not wait busily for threads that cannot run."""
    tune_malloc()
    limit_spinning()


def tune_malloc() -> bool:
    """Let glibc keep freed memory, so that large tensors cause no page faults.

    Returns:
        Whether the C library accepted the settings.
    """
    trim_threshold, top_pad, mmap_max = -1, -2, -4
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    settings = ((mmap_max, 0), (trim_threshold, 2**31 - 1), (top_pad, 64 << 20))
    return all(mallopt(*setting) == 1 for setting in settings)


def limit_spinning() -> None:
    """Let threads of GNU OpenMP sleep earlier when they wait for each other.

    They would spin for milliseconds at the end of every loop, and keep from the core
    whoever they wait for, when another process is busy on it (doc/experiments.md,
    speed). What the environment says is kept.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault(SPINS, str(MANY_SPINS))
