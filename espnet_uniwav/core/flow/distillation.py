"""Distillation of guidance and of steps: few evaluations that land where many do."""

from __future__ import annotations

import torch
from torch import Tensor

from espnet_uniwav.core.flow.decoder import FlowDecoder
from espnet_uniwav.core.flow.ode import solve
from espnet_uniwav.core.flow.sampling import Sampling, guided_velocity
from espnet_uniwav.core.nn.precision import full_precision


def distillation_loss(
    student: FlowDecoder,
    teacher: FlowDecoder,
    x: Tensor,
    mask: Tensor,
    z: Tensor,
    padding_mask: Tensor | None = None,
    sampling: Sampling = Sampling(),
    num_steps: int = 2,
    kept_frames: str = "data",
    student_z: Tensor | None = None,
) -> Tensor:
    """Squared error of the student's velocities at the ends of the teacher's steps.

    Flow distillation of ZipVoice (Zhu et al. 2025, arXiv 2506.13053): the frozen
    teacher integrates with guidance over several of its steps, from x_t at t to x_t'
    at t'. The student is to land there in one step without guidance:

        loss = || v(x_t, t) - (x_t' - x_t) / (t' - t) ||^2

    Unlike there, t takes the times of the student's own steps, and x_t are points of
    the teacher's trajectory from the noise of sampling instead of the path to the data:
    these are the points that the student meets. Guidance has one scale, so the decoder
    has no new input.

    Args:
        student: Decoder in training.
        teacher: Decoder that it starts from.
        x: (B, T, F) features; masked frames may hold any finite values.
        mask: (B, T), True = generated.
        z: (B, T, C) condition of the teacher.
        padding_mask: (B, T), True = padding.
        sampling: Of the teacher; its steps are a multiple of ``num_steps``.
        num_steps: Euler steps of the student.
        kept_frames: See ``FlowMatching``.
        student_z: (B, T, C') condition of the student; None: that of the teacher.

    Returns:
        Scalar in fp32, the mean over steps, generated frames and F.
    """
    x, frames = x.float(), mask[..., None]
    x_0 = sampling.temperature * torch.randn_like(x)
    student_z = z if student_z is None else student_z
    guided = guided_velocity(
        teacher, x, mask, z, x_0, padding_mask, sampling.guidance_scale, kept_frames
    )
    plain = guided_velocity(
        student, x, mask, student_z, x_0, padding_mask, 0.0, kept_frames
    )
    own_steps = sampling.num_steps // num_steps
    times = [step / num_steps for step in range(num_steps + 1)]
    x_t, total = x_0, 0.0
    for start, end in zip(times[:-1], times[1:]):
        with full_precision(x.device):
            landing = solve(guided, x_t, own_steps, sampling.method, start, end)
        slope = (landing - x_t) / (end - start)
        velocity = plain(x_t, x_t.new_full((), start)).float()
        total = total + torch.where(frames, velocity - slope, 0.0).square().sum()
        x_t = landing
    return total / (num_steps * mask.sum() * x.shape[-1]).clamp(min=1)
