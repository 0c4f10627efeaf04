"""The optimal-transport probability path."""

from __future__ import annotations

from torch import Tensor

SIGMA_MIN = 1e-5


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
