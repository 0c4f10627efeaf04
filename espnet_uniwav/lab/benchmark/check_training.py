"""Training on a device: losses beside the CPU's, speed, memory, the longest batch."""

from __future__ import annotations

import functools
import gc
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import distributed

from espnet_uniwav.core.flow.precondition import Precondition
from espnet_uniwav.lab.benchmark import ours, worker
from espnet_uniwav.lab.benchmark.cpu_draws import cpu_draws
from espnet_uniwav.lab.benchmark.plan import Plan, Size
from espnet_uniwav.lab.benchmark.system import AUTOCAST, System

# Largest relative difference of a loss to that of the CPU in fp32.
TOLERANCE = {"fp32": 0.01, "fp16": 0.05, "bf16": 0.05}
OPTIONS = {
    "checkpointing": ours.UniwavCheckpointing,
    "compile": ours.UniwavCompile,
    "DDP, one process": ours.Uniwav,
}


def check_sizes(plan: Plan) -> Iterator[dict]:
    """Train every size in every type; one row each."""
    for size in plan.sizes:
        for dtype in TOLERANCE:
            yield check_steps(plan, size, dtype, "", ours.Uniwav)


def check_options(plan: Plan) -> Iterator[dict]:
    """Train the middle size in bf16 with every option; one row each."""
    for option, kind in OPTIONS.items():
        with one_process(plan.device) if "DDP" in option else nullcontext():
            yield check_steps(plan, plan.sizes[1], "bf16", option, kind)


def check_steps(
    plan: Plan, size: Size, dtype: str, option: str, kind: type[System]
) -> dict:
    """Compare losses with the CPU's, then time larger steps.

    Returns:
        ``size``, ``dtype``, ``option``; the ``first`` and ``last`` loss, their largest
        relative ``difference`` to the CPU's, whether that is ``ok``;
        ``audio_s_per_s``, ``peak_mib`` and ``peak_share``, of the matrix product.
    """
    expected = take_reference(plan, size)
    system = build(kind, plan, size, dtype)
    precondition_of(system).load_state_dict(expected.precondition)
    losses = take_steps(system, plan.num_steps)
    pairs = zip(losses, expected.losses)
    difference = max(abs(ours / theirs - 1) for ours, theirs in pairs)
    return dict(
        size=size.name,
        dtype=dtype,
        option=option,
        first=losses[0],
        last=losses[-1],
        difference=difference,
        ok=difference <= TOLERANCE[dtype],
        **time_steps(plan, size, system),
    )


def build(kind: type[System], plan: Plan, size: Size, dtype: str) -> System:
    """A model with the weights of the seed; under DDP if there are processes."""
    setting = plan.setting(size, dtype)
    torch.manual_seed(setting.seed)
    system = kind(setting)
    if distributed.is_initialized():
        system.model = torch.nn.parallel.DistributedDataParallel(system.model)
    return system


class Reference(NamedTuple):
    """What the CPU found in fp32.

    Attributes:
        losses: Of the steps.
        precondition: State of the decoder's preconditioning, which every device takes
            over: the sign of a principal axis is arbitrary.
    """

    losses: list[float]
    precondition: dict


@functools.cache
def take_reference(plan: Plan, size: Size) -> Reference:
    """Take the steps that are compared on the CPU in fp32, in one process."""
    setting = plan.setting(size, "fp32", "cpu")
    torch.manual_seed(setting.seed)
    system = ours.Uniwav(setting)
    losses = take_steps(system, plan.num_steps)
    return Reference(losses, precondition_of(system).state_dict())


def precondition_of(system: System) -> Precondition:
    """The decoder's preconditioning, which the first batch fits."""
    parts = system.model.modules()
    return next(part for part in parts if isinstance(part, Precondition))


def take_steps(system: System, number: int) -> list[float]:
    """Take steps with the draws of the CPU; returns their losses."""
    torch.manual_seed(system.setting.seed + 1)
    with cpu_draws():
        losses = [system.step({}) for _ in range(number)]
    return torch.cat(losses).tolist()


def time_steps(plan: Plan, size: Size, system: System) -> dict:
    """Speed, memory and share of the peak of larger steps."""
    larger = dict(batch=size.batch, seconds=plan.seconds)
    system.set_audio(replace(system.setting, **larger))
    flop = worker.count_flop(system)
    system.step({})  # compiles what the counter did not
    if plan.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    timing = worker.measure(system, plan.num_steps)
    memory = timing["peak_mib"]
    if plan.device == "cpu":  # where the process has the peak of all steps before
        memory = worker.count_live_memory(system) / 2**20
    seconds = timing["wall"] / plan.num_steps
    peak = peak_of(plan, system.setting.dtype)
    return dict(
        audio_s_per_s=size.batch * plan.seconds / seconds,
        peak_mib=memory,
        peak_share=flop / seconds / 1e9 / peak,
    )


@functools.cache
def peak_of(plan: Plan, dtype: str) -> float:
    """GFLOP/s of a matrix product of this type on the device."""
    return worker.measure_matmul(
        plan.device, size=plan.matrix, dtype=AUTOCAST.get(dtype)
    )


def check_longest(plan: Plan) -> Iterator[dict]:
    """Find the largest batch of the middle size in bf16, without and with checkpoints.

    Yields:
        ``option``, ``seconds`` of audio in the batch, and ``all``: True if the largest
        batch that is tried fits.
    """
    for option in ("", "checkpointing"):
        free_memory(plan.device)
        number = find_longest(plan, OPTIONS.get(option, ours.Uniwav))
        seconds = number * plan.seconds
        yield dict(option=option, seconds=seconds, all=number == plan.largest)


def find_longest(plan: Plan, kind: type[System]) -> int:
    """Utterances of the largest batch that fits."""
    system = build(kind, plan, plan.sizes[1], "bf16")
    return search(functools.partial(fits, plan, system), plan.largest)


def search(fits: Callable[[int], bool], largest: int) -> int:
    """The largest number that fits, to an eighth; 0 if none does.

    Args:
        fits: Whether a number fits; if it does, smaller ones do.
        largest: Tried at most.
    """
    good, bad = 0, 1
    while bad <= largest and fits(bad):
        good, bad = bad, min(2 * bad, largest) if bad < largest else largest + 1
    while bad - good > max(good // 8, 1):
        middle = (good + bad) // 2
        good, bad = (middle, bad) if fits(middle) else (good, middle)
    return good


def fits(plan: Plan, system: System, batch: int) -> bool:
    """Whether a step with so many utterances fits into the device's memory."""
    try:
        larger = dict(batch=batch, seconds=plan.seconds)
        system.set_audio(replace(system.setting, **larger))
        return math.isfinite(system.step({}).item())
    except torch.OutOfMemoryError:
        return False
    finally:
        system.optimizer.zero_grad(set_to_none=True)
        free_memory(plan.device)


def free_memory(device: str) -> None:
    """Free what no tensor uses."""
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()


@contextmanager
def one_process(device: str):
    """Context of a process group of one."""
    backend = "nccl" if device == "cuda" else "gloo"
    store = distributed.HashStore()
    distributed.init_process_group(backend, store=store, rank=0, world_size=1)
    try:
        yield
    finally:
        distributed.destroy_process_group()
        free_memory(device)
