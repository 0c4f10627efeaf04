"""The process of one system: ``steps`` starts it and requests timed steps.

It answers in lines of JSON on its standard output; prints of libraries are redirected
to standard error.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import sys
import time
from typing import TextIO

MATRIX_SIZE = 1024


def main() -> None:
    """Warm up, report the facts, then serve until the input is closed."""
    name, setting = sys.argv[1], json.loads(sys.argv[2])
    answers = take_standard_output()
    prepare_process(setting)
    if name == "peak":
        send(answers, {"gflop_per_s": measure_matmul(setting["device"])})
        return
    system = build_system(name, setting)
    send(answers, warm_up(system))
    for line in sys.stdin:
        send(answers, measure(system, int(line)))


def take_standard_output() -> TextIO:
    """Keep the pipe for the answers and send other prints to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def send(answers: TextIO, answer: dict) -> None:
    print(json.dumps(answer), file=answers, flush=True)


def prepare_process(setting: dict) -> None:
    """Set the allocator (before torch is imported), threads and seeds."""
    if setting["malloc"] == "tuned":
        from espnet_uniwav.run import tune_malloc

        tune_malloc()
    import numpy as np
    import torch

    torch.set_num_threads(setting["threads"])
    torch.manual_seed(setting["seed"])
    np.random.seed(setting["seed"])


def build_system(name: str, setting: dict):
    """Build a system of ``steps.SYSTEMS``."""
    from espnet_uniwav.lab.benchmark.setting import Setting
    from espnet_uniwav.lab.benchmark.steps import SYSTEMS

    room, _, kind = SYSTEMS[name].place.partition(".")
    module = importlib.import_module(f"espnet_uniwav.lab.benchmark.{room}")
    return getattr(module, kind)(Setting(**setting))


def warm_up(system) -> dict:
    """Take the untimed steps; the first counts operations, the last memory.

    Matrix products, convolutions and attention are counted, forward and backward, with
    two operations per multiply-add; the FFT and pointwise operations are not.
    """
    flop = count_flop(system) if system.countable else math.nan
    live = count_live_memory(system)
    views = system.num_views
    audio = system.setting.batch * system.setting.seconds * views
    return {
        "views": views,
        "parameters": system.num_parameters,
        "gflop_per_audio_s": flop / 1e9 / audio,
        "live_mib": live / 2**20,
    }


def count_flop(system) -> int:
    """Take a step; returns its operations, forward and backward."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode, flop_registry

    aten, name = torch.ops.aten, "_scaled_dot_product_flash_attention"
    for suffix in ("", "_backward"):
        on_cpu = getattr(aten, f"{name}_for_cpu{suffix}")
        flop_registry[on_cpu] = flop_registry[getattr(aten, name + suffix)]
    with FlopCounterMode(display=False) as counter:
        system.step(system.draw())
    return counter.get_total_flops()


def count_live_memory(system) -> int:
    """Take a step; returns the most bytes that tensors had at one time."""
    from espnet_uniwav.lab.benchmark.live_memory import LiveMemory

    optimizer = system.optimizer
    state = optimizer.state.values() if optimizer else []
    tensors = [system.speech, *system.model.parameters()]
    tensors += system.model.buffers()
    tensors += [v for own in state for v in own.values() if hasattr(v, "grad")]
    with LiveMemory(tensors) as memory:
        system.step(system.draw())
    return memory.peak


def measure(system, num_steps: int) -> dict:
    """Time a few steps.

    Returns:
        ``wall`` and ``cpu`` in seconds for all steps, ``peak_mib`` of the process (on a
        GPU: of torch's allocator there) since its start.

    Raises:
        FloatingPointError: If the result of the last step is not finite.
    """
    batches = [system.draw() for _ in range(num_steps)]
    device = system.setting.device
    synchronize(device)
    wall, cpu = time.perf_counter(), time.process_time()
    for batch in batches:
        result = system.step(batch)
    synchronize(device)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if not math.isfinite(result.float().sum().item()):
        raise FloatingPointError(f"{type(system).__name__}: the loss is not finite")
    return {"wall": wall, "cpu": cpu, "peak_mib": peak_memory(device) / 2**20}


def synchronize(device: str) -> None:
    if device == "cuda":
        import torch

        torch.cuda.synchronize()


def peak_memory(device: str) -> float:
    """Return bytes: peak resident size, or on a GPU the peak of torch's allocator.

    ``VmHWM`` belongs to this program alone; ``ru_maxrss`` also remembers the parent it
    was forked from. NaN where only Linux could say it.
    """
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated()
    if not os.path.exists("/proc/self/status"):
        return math.nan
    with open("/proc/self/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return int(fields["VmHWM"].split()[0]) * 1024


def measure_matmul(
    device: str, num_tries: int = 20, size: int = MATRIX_SIZE, dtype=None
) -> float:
    """Return the best GFLOP/s of a square matrix product, by default of fp32."""
    import torch

    a, b = torch.rand(2, size, size, device=device).to(dtype or torch.float32)
    best = math.inf
    for _ in range(num_tries):
        synchronize(device)
        start = time.perf_counter()
        torch.mm(a, b)
        synchronize(device)
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / 1e9


if __name__ == "__main__":
    main()
