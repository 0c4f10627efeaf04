"""Communication between the processes of one training run."""

from __future__ import annotations

from torch import Tensor, distributed


def is_distributed() -> bool:
    """Whether this process is one of several that train together."""
    return distributed.is_available() and distributed.is_initialized()


def sum_over_processes(*tensors: Tensor) -> None:
    """Replace tensors by their sums over all processes, in place."""
    if is_distributed():
        for tensor in tensors:
            distributed.all_reduce(tensor)


def copy_from_first_process(*tensors: Tensor) -> None:
    """Replace tensors by those of process 0, in place."""
    if is_distributed():
        for tensor in tensors:
            distributed.broadcast(tensor, 0)


def whole(tensor: Tensor) -> Tensor:
    """The tensor itself, or gathered from the processes that FSDP shards it over."""
    gather = getattr(tensor, "full_tensor", None)
    return tensor if gather is None else gather()
