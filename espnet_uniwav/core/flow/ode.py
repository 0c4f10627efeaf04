"""Path from noise to data, solvers of dx/dt = v(x, t) along it, and guidance."""

from __future__ import annotations

from typing import Callable

import torch
from torch import Tensor

SIGMA_MIN = 1e-5
Velocity = Callable[[Tensor, Tensor], Tensor]


def sample_path(
    x_0: Tensor, x_1: Tensor, t: Tensor, sigma_min: float = SIGMA_MIN
) -> tuple[Tensor, Tensor]:
    """Point and velocity of the straight path from noise to data.

        x_t  = (1 - (1 - sigma_min) t) x_0 + t x_1
        dx_t = x_1 - (1 - sigma_min) x_0

    (Lipman et al. 2023, eq. 22 and 23.)

    Args:
        x_0: (B, T, F) noise.
        x_1: (B, T, F) data.
        t: (B,) or (B, T) times in [0, 1].
        sigma_min: Standard deviation around the data at t = 1.

    Returns:
        x_t and dx_t, each (B, T, F).
    """
    t = t[:, None, None] if t.dim() == 1 else t[..., None]
    x_t = (1 - (1 - sigma_min) * t) * x_0 + t * x_1
    return x_t, x_1 - (1 - sigma_min) * x_0


def euler(v: Velocity, x: Tensor, t: Tensor, dt: Tensor) -> Tensor:
    """x + dt v(x, t); one evaluation."""
    return x + dt * v(x, t)


def midpoint(v: Velocity, x: Tensor, t: Tensor, dt: Tensor) -> Tensor:
    """x + dt v(x + dt/2 v(x, t), t + dt/2); two evaluations."""
    return x + dt * v(x + dt / 2 * v(x, t), t + dt / 2)


def heun(v: Velocity, x: Tensor, t: Tensor, dt: Tensor) -> Tensor:
    """x + dt/2 (v(x, t) + v(x + dt v(x, t), t + dt)); two evaluations."""
    slope = v(x, t)
    return x + dt / 2 * (slope + v(x + dt * slope, t + dt))


METHODS = {"euler": (euler, 1), "midpoint": (midpoint, 2), "heun": (heun, 2)}


def num_evaluations(num_steps: int, method: str) -> int:
    """Evaluations of the velocity in ``solve`` (guidance doubles the cost of each)."""
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}: choose from {sorted(METHODS)}")
    if num_steps < 1:
        raise ValueError(f"num_steps must be at least 1, found {num_steps}")
    return num_steps * METHODS[method][1]


@torch.no_grad()
def solve(
    velocity: Velocity,
    x_0: Tensor,
    num_steps: int,
    method: str = "midpoint",
    start: float = 0.0,
    end: float = 1.0,
) -> Tensor:
    """Integrate a velocity field from one time to another in equal steps.

    Args:
        velocity: Maps x (B, ...) and t (scalar tensor) to dx/dt (B, ...).
        x_0: (B, ...) point at the start.
        num_steps: Steps; see ``num_evaluations`` for their cost.
        method: ``euler``, ``midpoint`` or ``heun``.
        start: Time in [0, 1].
        end: Time in [0, 1], after the start.

    Returns:
        (B, ...) point at the end.

    Raises:
        ValueError: If the method is unknown or num_steps is below 1.
    """
    num_evaluations(num_steps, method)
    step = METHODS[method][0]
    times = torch.linspace(
        start, end, num_steps + 1, dtype=x_0.dtype, device=x_0.device
    )
    x = x_0
    for t, dt in zip(times[:-1], times.diff()):
        x = step(velocity, x, t, dt)
    return x


def guide(conditional: Tensor, unconditional: Tensor, guidance_scale: float) -> Tensor:
    """Classifier-free guidance: v = (1 + a) v(c) - a v(empty) (Voicebox, eq. 5)."""
    return torch.lerp(unconditional, conditional, 1.0 + guidance_scale)
