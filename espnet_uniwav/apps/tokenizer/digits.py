"""Numbers as digits, the most telling digits first."""

from __future__ import annotations

import heapq

import torch
from torch import Tensor, nn

from espnet_uniwav.core.nn.processes import sum_over_processes

BASE = 4  # two bits
# Share of the variance of a normal variable that is left after 0, 1, 2, ... digits.
LEFT = (1.0, 0.118, 0.0095, 0.0007, 0.00005)
DEEPEST = len(LEFT) - 1  # digits of a component at most
# Deviation at which four cells of a normal variable leave the least error (Max 1960).
DEVIATION = 1.12
FOLLOWED = 0.02  # share of a batch in a running mean


class Digits(nn.Module):
    """Digits of components, each of which refines its component by a factor of four.

    A component a is uniform as u = sigmoid(a) if a is logistic. Its digits are those
    of u in base four. Digit i belongs to a component, and refines it after all digits
    of that component before i; any number of first digits can be read.

    Args:
        size: Number of digits, and of components at most.
    """

    def __init__(self, size: int):
        super().__init__()
        self.register_buffer("component", torch.arange(size))

    def order(self, variances: Tensor) -> Tensor:
        """Choose what every digit refines, so that the error falls fastest.

        Args:
            variances: (M,) what each of M candidates adds to the error if nothing is
                known of it.

        Returns:
            (C,) indices of the candidates that are components, C at most ``size``.
        """
        found: dict[int, int] = {}
        order = []
        heap = [(-(1 - LEFT[1]) * v, i, 0) for i, v in enumerate(variances.tolist())]
        heapq.heapify(heap)
        while len(order) < len(self.component):
            _, i, known = heapq.heappop(heap)
            order.append(found.setdefault(i, len(found)))
            if known + 2 < len(LEFT):
                gain = (LEFT[known + 1] - LEFT[known + 2]) * float(variances[i])
                heapq.heappush(heap, (-gain, i, known + 1))
        self.component.copy_(torch.tensor(order))
        return torch.tensor(list(found), device=variances.device)

    def write(self, a: Tensor) -> Tensor:
        """Components (..., size) to digits (..., size), 0 to 3."""
        cells = BASE ** (self._depth() + 1)
        u = a.detach().float().sigmoid()[..., self.component]
        return (u * cells).floor().clamp(max=cells - 1).long() % BASE

    def read(self, digits: Tensor, known: Tensor | None = None) -> Tensor:
        """Components (..., size), 0 where nothing is known.

        Args:
            digits: (..., n) the first n digits.
            known: (..., n), True = known; None: all are.
        """
        number = digits.shape[-1]
        if known is None:
            known = torch.ones_like(digits, dtype=torch.bool)
        depth = self._depth()[:number]
        steps = digits * BASE ** -(depth + 1.0) * known
        belongs = (self.component[:number, None] == self._slots()).float()
        cell = BASE ** -(known.float() @ belongs)
        return (steps @ belongs + cell / 2).logit()

    def _slots(self) -> Tensor:
        return torch.arange(len(self.component), device=self.component.device)

    def _depth(self) -> Tensor:
        """(size,) digits of the same component before each digit."""
        same = self.component[:, None] == self.component
        return same.tril(-1).sum(1)


class Spread(nn.Module):
    """Keeps components as widely spread as their digits expect.

    The gradient does not see that narrower components have coarser digits, and without
    this it makes them narrower and narrower. Their mean square is a running one, also
    in training, so that an utterance does not depend on its batch.

    Args:
        size: Number of components.
    """

    def __init__(self, size: int):
        super().__init__()
        self.register_buffer("square", torch.full((size,), DEVIATION**2))

    def forward(self, a: Tensor) -> Tensor:
        """Components (B, size) at their scale."""
        if self.training:
            self._follow(a.detach())
        return a * (DEVIATION * self.square.clamp(min=1e-6).rsqrt())

    @torch.no_grad()
    def _follow(self, a: Tensor) -> None:
        count, square = a.new_tensor(float(len(a))), a.square().sum(0)
        sum_over_processes(count, square)
        self.square.lerp_(square / count, FOLLOWED)


def straight_through(a: Tensor, read: Tensor) -> Tensor:
    """What was read, with the gradient of what was written."""
    return a + (read - a).detach()
