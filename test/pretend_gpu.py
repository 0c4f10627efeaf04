"""A device that only pretends to compute: shapes, types and devices are checked.

Tensors are PyTorch's fake ones on a device that is not the CPU. Mixing devices raises
an error, as on a GPU; so does an operator whose result the CPU must know: ``item``,
``tolist``, ``nonzero``, indexing by a mask.
"""

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

DEVICE = "lazy"
COPIES = torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default


class Transfers(TorchDispatchMode):
    """Counts copies between the CPU and the device, either way.

    Attributes:
        found: Operators that copied, in order.
    """

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if func in COPIES:
            source = args[1] if func is torch.ops.aten.copy_.default else args[0]
            if source.device != result.device:
                self.found.append(f"{source.device.type} to {result.device.type}")
        return result


class PretendGPU(Transfers):
    """Context in which ``DEVICE`` exists."""

    def __enter__(self):
        self.mode = FakeTensorMode()
        self.mode.__enter__()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self.mode.__exit__(*error)

    def send(self, module: nn.Module) -> nn.Module:
        """Move a real module there, in place."""
        for part in module.modules():
            for name, weight in part._parameters.items():
                if weight is not None:
                    moved = nn.Parameter(fake(weight), weight.requires_grad)
                    part._parameters[name] = moved
            for name, buffer in part._buffers.items():
                if buffer is not None:
                    part._buffers[name] = fake(buffer)
        self.found.clear()
        return module


def fake(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty(tensor.shape, dtype=tensor.dtype, device=DEVICE)
