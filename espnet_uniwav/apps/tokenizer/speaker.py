"""The speaker code: the mean of an utterance by residual scalar quantisation."""

from __future__ import annotations

import heapq

import torch
from torch import Tensor, nn

from espnet_uniwav.core.flow.precondition import Precondition
from espnet_uniwav.core.nn.processes import sum_over_processes

LEVELS = 4  # of a digit: two bits
# Share of the variance of a normal variable that is left after 0, 1, 2, ... digits.
DISTORTION = (1.0, 0.118, 0.0095, 0.0007, 0.00005)
MAX_DIGITS = len(DISTORTION) - 1  # of a component
# Deviation at which four cells of a normal variable leave the least error (Max 1960).
TARGET_DEVIATION = 1.12
MOMENTUM = 0.02  # of a batch in a running mean


class SpeakerQuantizer(nn.Module):
    """Quantises the mean of an utterance, which holds much of the voice.

    The whitened mean is projected on components (``analysis``) of a fixed scale
    (``RunningScale``), which are written as digits (``ResidualScalarQuantizer``).
    ``synthesis`` maps components to what they add to every group of frames.

    Args:
        feature_dim: Width F of the mean.
        output_dim: Width of a group of frames.
        length: Digits of the code, two bits each; 0: no code.

    Raises:
        ValueError: If there are more digits than the components can have.
    """

    def __init__(self, feature_dim: int, output_dim: int, length: int):
        super().__init__()
        most = MAX_DIGITS * feature_dim
        if length > most:
            raise ValueError(
                f"expected speaker_code_length of at most {most}, found {length}"
            )
        self.scalar, self.norm = ResidualScalarQuantizer(length), RunningScale(length)
        self.analysis = nn.Linear(feature_dim, length, bias=False)
        self.synthesis = nn.Linear(length, output_dim, bias=False)

    def project(self, mean: Tensor, precondition: Precondition) -> Tensor:
        """Means (B, F) to components (B, length)."""
        return self.norm(self.analysis(_whiten(mean, precondition)))

    @torch.no_grad()
    def fit(self, means: Tensor, precondition: Precondition) -> None:
        """Choose the axes along which means of utterances (B, F) differ most."""
        if not len(self.scalar.component):
            return
        whitened = _whiten(means, precondition)
        variances = whitened.square().mean(0).clamp(min=1e-6)
        errors = variances * precondition.deviations.square()
        chosen = self.scalar.allocate(errors)
        scale = variances[chosen].sqrt() / TARGET_DEVIATION
        rows = range(len(chosen))
        self.analysis.weight.zero_()
        self.analysis.weight[rows, chosen] = 1 / scale
        back = torch.zeros_like(self.analysis.weight)
        back[rows, chosen] = scale
        groups = len(self.synthesis.weight) // back.shape[1]
        self.synthesis.weight.copy_(back.T.repeat(groups, 1))


def _whiten(x: Tensor, precondition: Precondition) -> Tensor:
    return precondition.scale_input(x[:, None], torch.ones_like(x[:, :1]))[:, 0]


class ResidualScalarQuantizer(nn.Module):
    """Digits of components, each of which refines its component by a factor of four.

    A component a is uniform as u = sigmoid(a) if a is logistic. Its digits are those
    of u in base four. Digit i belongs to a component, and refines it after all digits
    of that component before i; any number of first digits can be decoded.

    Args:
        length: Number of digits, and of components at most.
    """

    def __init__(self, length: int):
        super().__init__()
        self.register_buffer("component", torch.arange(length))

    def allocate(self, variances: Tensor) -> Tensor:
        """Give each digit to the component where the error falls most.

        Args:
            variances: (M,) what each of M candidates adds to the error if nothing is
                known of it.

        Returns:
            (C,) indices of the candidates that are components, C at most ``length``.
        """
        found: dict[int, int] = {}
        order = []
        gains = [DISTORTION[i] - DISTORTION[i + 1] for i in range(MAX_DIGITS)]
        heap = [(-gains[0] * v, i, 0) for i, v in enumerate(variances.tolist())]
        heapq.heapify(heap)
        while len(order) < len(self.component):
            _, i, known = heapq.heappop(heap)
            order.append(found.setdefault(i, len(found)))
            if known + 1 < MAX_DIGITS:
                gain = gains[known + 1] * float(variances[i])
                heapq.heappush(heap, (-gain, i, known + 1))
        self.component.copy_(torch.tensor(order))
        return torch.tensor(list(found), device=variances.device)

    def encode(self, a: Tensor) -> Tensor:
        """Components (..., length) to digits (..., length), 0 to 3."""
        cells = LEVELS ** (self._depth() + 1)
        u = a.detach().float().sigmoid()[..., self.component]
        return (u * cells).floor().clamp(max=cells - 1).long() % LEVELS

    def decode(self, digits: Tensor, known: Tensor | None = None) -> Tensor:
        """Components (..., length), 0 where nothing is known.

        Args:
            digits: (..., n) the first n digits.
            known: (..., n), True = known; None: all are.
        """
        number = digits.shape[-1]
        if known is None:
            known = torch.ones_like(digits, dtype=torch.bool)
        depth = self._depth()[:number]
        steps = digits * LEVELS ** -(depth + 1.0) * known
        components = torch.arange(len(self.component), device=digits.device)
        belongs = (self.component[:number, None] == components).float()
        cell = LEVELS ** -(known.float() @ belongs)
        return (steps @ belongs + cell / 2).logit()

    def _depth(self) -> Tensor:
        """(length,) digits of the same component before each digit."""
        same = self.component[:, None] == self.component
        return same.tril(-1).sum(1)


class RunningScale(nn.Module):
    """Keeps components at the deviation that their quantiser expects.

    The gradient does not see that narrower components have coarser digits, and without
    this it makes them narrower and narrower. Their mean square is a running one, also
    in training, so that an utterance does not depend on its batch.

    Args:
        size: Number of components.
    """

    def __init__(self, size: int):
        super().__init__()
        self.register_buffer("mean_square", torch.full((size,), TARGET_DEVIATION**2))

    def forward(self, a: Tensor) -> Tensor:
        """Components (B, size) at their scale."""
        if self.training:
            self._update(a.detach())
        return a * (TARGET_DEVIATION * self.mean_square.clamp(min=1e-6).rsqrt())

    @torch.no_grad()
    def _update(self, a: Tensor) -> None:
        count, square = a.new_tensor(float(len(a))), a.square().sum(0)
        sum_over_processes(count, square)
        self.mean_square.lerp_(square / count, MOMENTUM)


def straight_through(a: Tensor, quantized: Tensor) -> Tensor:
    """The quantised value, with the gradient of the value before."""
    return a + (quantized - a).detach()
