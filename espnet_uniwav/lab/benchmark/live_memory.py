"""Peak memory of live tensors, independent of the allocator."""

from __future__ import annotations

import weakref
from collections.abc import Iterable

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.weak import WeakIdKeyDictionary


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
