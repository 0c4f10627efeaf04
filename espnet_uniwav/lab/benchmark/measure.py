"""Time, memory and operations of the steps of a system, and the peak of a device."""

from __future__ import annotations

import math
import os
import time
import weakref
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.flop_counter import FlopCounterMode, flop_registry
from torch.utils.weak import WeakIdKeyDictionary

from espnet_uniwav.lab.benchmark.system import System


def time_steps(system: System, num_steps: int) -> dict:
    """Time a few steps.

    Returns:
        ``wall`` and ``cpu`` in seconds for all steps, ``audio_s`` of them, ``peak_mib``
        of the process (on a GPU: of torch's allocator there) since its start.

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
    audio, memory = num_steps * system.audio_seconds, peak_memory(device)
    return {"wall": wall, "cpu": cpu, "audio_s": audio, "peak_mib": memory / 2**20}


def synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def peak_memory(device: str) -> float:
    """Return bytes: peak resident size, or on a GPU the peak of torch's allocator.

    ``VmHWM`` belongs to this program alone; ``ru_maxrss`` also remembers the parent it
    was forked from. NaN where only Linux could say it.
    """
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    if not os.path.exists("/proc/self/status"):
        return math.nan
    with open("/proc/self/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return int(fields["VmHWM"].split()[0]) * 1024


def measure_matmul(device: str, size: int = 1024, dtype: str = "fp32") -> float:
    """The best GFLOP/s of twenty products of square matrices."""
    kinds = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
    a, b = torch.rand(2, size, size, device=device).to(kinds[dtype])
    best = math.inf
    for _ in range(20):
        synchronize(device)
        start = time.perf_counter()
        torch.mm(a, b)
        synchronize(device)
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / 1e9


def count_flop(system: System) -> int:
    """Take a step; returns its operations, forward and backward.

    Matrix products, convolutions and attention are counted, with two operations per
    multiply-add; the FFT and pointwise operations are not.
    """
    aten, name = torch.ops.aten, "_scaled_dot_product_flash_attention"
    for suffix in ("", "_backward"):
        on_cpu = getattr(aten, f"{name}_for_cpu{suffix}")
        flop_registry[on_cpu] = flop_registry[getattr(aten, name + suffix)]
    with FlopCounterMode(display=False) as counter:
        system.step(system.draw())
    return counter.get_total_flops()


def count_live_memory(system: System) -> int:
    """Take a step; returns the most bytes that tensors had at one time."""
    state = system.optimizer.state.values() if system.optimizer else []
    tensors = [system.speech, *system.model.parameters(), *system.model.buffers()]
    tensors += [v for own in state for v in own.values() if isinstance(v, Tensor)]
    with LiveMemory(tensors) as memory:
        system.step(system.draw())
    return memory.peak


class LiveMemory(TorchDispatchMode):
    """Counts the bytes of all storages that are made in this context, and of some more.

    A process keeps memory that its tensors have given back, in pieces that depend on
    the allocator; a GPU's peak is that of the tensors.

    Args:
        tensors: Made before, and alive: weights, the state of the optimiser.

    Attributes:
        peak: Most bytes alive at one time.
    """

    def __init__(self, tensors: Iterable[Tensor] = ()):
        super().__init__()
        self.alive = self.peak = 0
        self.known = WeakIdKeyDictionary()
        for tensor in tensors:
            self.add(tensor)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Run an operator and count what it made."""
        return tree_map_only(Tensor, self.add, func(*args, **(kwargs or {})))

    def add(self, tensor: Tensor) -> Tensor:
        """Count the storage of a tensor until it goes."""
        storage = tensor.untyped_storage()
        if storage not in self.known:
            size = storage.nbytes()
            self.known[storage] = size
            self.alive += size
            self.peak = max(self.peak, self.alive)
            weakref.finalize(storage, self._remove, size)
        return tensor

    def _remove(self, size: int) -> None:
        self.alive -= size
