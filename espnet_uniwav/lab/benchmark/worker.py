"""The process of one system, which ``steps`` starts and asks for timed steps."""

from __future__ import annotations

import importlib
import os
import random

SYSTEM = None  # of this process


def prepare_process(setting: dict) -> None:
    """Set the allocator (before torch is imported), threads and seeds."""
    if setting["malloc"] == "tuned":
        from espnet_uniwav.cli.process import tune_malloc

        tune_malloc()
    import numpy as np
    import torch

    torch.set_num_threads(setting["threads"])
    torch.manual_seed(setting["seed"])
    np.random.seed(setting["seed"])
    random.seed(setting["seed"])


def build_system(place: str, options: dict, setting: dict):
    """Build a system, ``module.Class`` of this room."""
    from espnet_uniwav.lab.benchmark.system import Setting

    module, _, name = place.partition(".")
    room = importlib.import_module(f"espnet_uniwav.lab.benchmark.{module}")
    return getattr(room, name)(Setting(**setting), **options)


def start(place: str, options: dict, setting: dict) -> dict:
    """Build the system of this process and take untimed steps; returns the facts.

    All that libraries print from here on goes to standard error.
    """
    from espnet_uniwav.lab.benchmark.measure import count_flop, count_live_memory

    os.dup2(2, 1)
    global SYSTEM
    SYSTEM = system = build_system(place, options, setting)
    flop = count_flop(system) if system.countable else float("nan")
    return {
        "views": system.num_views,
        "parameters": system.num_parameters,
        "gflop_per_audio_s": flop / 1e9 / system.audio_seconds,
        "live_mib": count_live_memory(system) / 2**20,
    }


def measure(num_steps: int) -> dict:
    """Time steps of the system of this process."""
    from espnet_uniwav.lab.benchmark.measure import time_steps

    return time_steps(SYSTEM, num_steps)


def measure_peak(device: str) -> float:
    """GFLOP/s of a matrix product."""
    from espnet_uniwav.lab.benchmark.measure import measure_matmul

    return measure_matmul(device)
