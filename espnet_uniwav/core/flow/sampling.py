"""How the flow is integrated: settings, and the velocity at given and other frames."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from espnet_uniwav.core.flow.decoder import FlowDecoder
from espnet_uniwav.core.flow.ode import (
    Velocity,
    guide,
    num_evaluations,
    sample_path,
    solve,
)
from espnet_uniwav.io.bounds import check_number

# Frames to be generated stay below t = 1, which marks given frames.
LAST_TIME = 1 - 1e-3


@dataclass(frozen=True)
class Sampling:
    """How the flow is integrated.

    Attributes:
        num_steps: Steps of the solver.
        method: The solver.
        guidance_scale: a of classifier-free guidance; 0 switches it off. The
            unconditional pass has no condition, and given frames are as noisy in it
            as the others.
        temperature: Standard deviation of the initial noise.

    Raises:
        ValueError: If the method is unknown, or a number out of bounds.
    """

    num_steps: int = 16
    method: Literal["euler", "midpoint", "heun"] = "midpoint"
    guidance_scale: float = 0.0
    temperature: float = 1.0

    def __post_init__(self):
        for name in ("num_steps", "guidance_scale", "temperature"):
            check_number(name, getattr(self, name))
        num_evaluations(self.num_steps, self.method)

    def but(self, **settings) -> Sampling:
        """These settings with some replaced; None keeps a setting."""
        given = {key: value for key, value in settings.items() if value is not None}
        return replace(self, **given)

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in asdict(self).items())


# For speech from text or codes. Noise of unit variance leaves specks in the spectrogram
# and doubles the word errors of an undertrained decoder.
SPEAKING = Sampling(8, "euler", guidance_scale=0.7, temperature=0.4)


def draw_frames(
    decoder: FlowDecoder,
    x: Tensor,
    mask: Tensor,
    z: Tensor,
    noise: Tensor,
    padding_mask: Tensor | None = None,
    sampling: Sampling = Sampling(),
    kept_frames: str = "data",
) -> Tensor:
    """Draw the masked frames from the flow, given the frames around them.

    Args:
        decoder: Predicts the velocity.
        x: (B, T, F) features; masked frames may hold any finite values.
        mask: (B, T), True = generate this frame.
        z: (B, T, C) condition.
        noise: (B, T, F) of unit variance.
        padding_mask: (B, T), True = padding.
        sampling: Settings of the solver.
        kept_frames: See ``FlowMatching``.

    Returns:
        (B, T, F): x where mask is False, bit for bit; generated elsewhere.
    """
    x_0 = sampling.temperature * noise
    velocity = guided_velocity(
        decoder, x, mask, z, x_0, padding_mask, sampling.guidance_scale, kept_frames
    )
    x_1 = solve(velocity, x_0, sampling.num_steps, sampling.method)
    return torch.where(mask[..., None], x_1, x)


def guided_velocity(
    decoder: FlowDecoder,
    x: Tensor,
    mask: Tensor,
    z: Tensor,
    x_0: Tensor,
    padding_mask: Tensor | None = None,
    guidance_scale: float = 0.0,
    kept_frames: str = "data",
) -> Velocity:
    """The velocity field that ``UniWav.generate`` integrates.

    Args:
        decoder: Predicts the velocity.
        x: (B, T, F) features; masked frames may hold any finite values.
        mask: (B, T), True = generate this frame.
        z: (B, T, C) condition.
        x_0: (B, T, F) initial noise.
        padding_mask: (B, T), True = padding.
        guidance_scale: See ``Sampling``.
        kept_frames: What the decoder saw at given frames, see ``FlowMatching``.

    Returns:
        Maps x_t (B, T, F) and t (scalar tensor) to dx_t (B, T, F), undefined at given
        frames.
    """
    frames = mask[..., None]

    def velocity(x_t: Tensor, t: Tensor) -> Tensor:
        t = t.clamp(max=LAST_TIME)
        everywhere = t.expand(mask.shape)
        if kept_frames == "path" or guidance_scale != 0:
            noisy = torch.where(frames, x_t, sample_path(x_0, x, everywhere)[0])
        if kept_frames == "path":
            v = decoder(noisy, everywhere, z, padding_mask)
        else:
            times = torch.where(mask, everywhere, 1.0)
            v = decoder(torch.where(frames, x_t, x), times, z, padding_mask)
        if guidance_scale == 0:
            return v
        empty = decoder(noisy, everywhere, torch.zeros_like(z), padding_mask)
        return guide(v, empty, guidance_scale)

    return velocity
