"""The teacher: an exponential moving average of the student."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from espnet_uniwav.core.nn.precision import bfloat16, full_precision
from espnet_uniwav.core.nn.processes import whole
from espnet_uniwav.core.nn.transformer import Transformer

SCHEDULES = ("linear", "exponential")
NEGLIGIBLE = 1e-7  # of 1 - decay


class EMATeacher(nn.Module):
    """theta_teacher = decay * theta_teacher + (1 - decay) * theta_student, in fp32.

    Convolutional positions are copied, not averaged (DinoSR). The decay of update t
    rises by one of two schedules:

    - ``linear`` (DinoSR): from ema_decay to ema_end_decay over the first anneal_steps
      updates.
    - ``exponential`` (SpidR, Poli et al. 2025): 1 - (1 - ema_decay) *
      exp(-t / anneal_steps), and 1 as soon as it is closer to 1 than 1e-7.

    Args:
        student: The student's transformer.
        ema_decay: First decay.
        ema_end_decay: Last decay; of ``linear`` alone.
        anneal_steps: Updates between the two, or the time constant of ``exponential``.
        freeze_step: Updates after which the teacher is frozen, or None.
        ema_schedule: ``linear`` or ``exponential``.
        bf16: Compute the targets in bfloat16, see ``nn.precision``; weights, averages
            and the normalisation of the targets stay in fp32.
    """

    def __init__(
        self,
        student: Transformer,
        ema_decay: float = 0.999,
        ema_end_decay: float = 0.9999,
        anneal_steps: int = 30000,
        freeze_step: int | None = None,
        ema_schedule: str = "linear",
        bf16: bool = False,
    ):
        super().__init__()
        if ema_schedule not in SCHEDULES:
            raise ValueError(
                f"ema_schedule must be one of {SCHEDULES}, found {ema_schedule!r}"
            )
        self.network = copy.deepcopy(student).float().requires_grad_(False).eval()
        self.ema_decay = ema_decay
        self.ema_end_decay = ema_end_decay
        self.anneal_steps = anneal_steps
        self.freeze_step = freeze_step
        self.ema_schedule = ema_schedule
        self.bf16 = bf16
        self.register_buffer("num_updates", torch.zeros((), dtype=torch.long))

    def train(self, mode: bool = True) -> EMATeacher:
        """Stay in evaluation mode whatever the rest of the model does."""
        return super().train(False)

    def decay(self) -> Tensor:
        """Decay of the next update, a scalar on the device of the teacher."""
        progress = (self.num_updates + 1) / max(self.anneal_steps, 1)
        if self.ema_schedule == "exponential":
            rest = (1 - self.ema_decay) * (-progress).exp()
            decay = torch.where(rest < NEGLIGIBLE, 1.0, 1 - rest)
        else:
            decay = torch.lerp(
                torch.full_like(progress, self.ema_decay),
                torch.full_like(progress, self.ema_end_decay),
                progress.clamp(max=1.0),
            )
        if self.freeze_step is not None:
            decay = torch.where(self.num_updates >= self.freeze_step, 1.0, decay)
        return decay

    @torch.no_grad()
    def update(self, student: Transformer) -> None:
        """Update the moving average, once per optimiser step."""
        moving = _split(self.network)
        source = _split(student)
        share = [1 - self.decay()] * len(source["averaged"])
        torch._foreach_lerp_(moving["averaged"], source["averaged"], share)
        if moving["copied"]:
            torch._foreach_copy_(moving["copied"], source["copied"])
        self.num_updates += 1

    @torch.no_grad()
    def forward(
        self, embedded: Tensor, padding_mask: Tensor | None, num_targets: int
    ) -> Tensor:
        """Compute the targets from the top layers.

        Args:
            embedded: (B, T, D) unmasked input of the student.
            padding_mask: (B, T), True = padding.
            num_targets: Top layers K.

        Returns:
            (K, B, T, D) instance-normalised FFN outputs, lowest layer first, in fp32.
        """
        device = embedded.device
        with full_precision(device), bfloat16(device, self.bf16):
            outputs = self.network(embedded.float(), padding_mask)[1][-num_targets:]
        with full_precision(device):
            return instance_norm(torch.stack(outputs).float(), padding_mask)


def instance_norm(x: Tensor, padding_mask: Tensor | None, eps: float = 1e-5) -> Tensor:
    """Zero mean and unit variance over the valid frames of each utterance and channel.

    Args:
        x: (K, B, T, D).
        padding_mask: (B, T), True = padding.
        eps: Added to the variance.

    Returns:
        (K, B, T, D); values at padding are arbitrary.
    """
    if x.shape[2] == 1:
        return torch.zeros_like(x)
    if padding_mask is None:
        flat = F.instance_norm(x.flatten(0, 1).transpose(1, 2), eps=eps)
        return flat.transpose(1, 2).view_as(x)
    valid = (~padding_mask)[None, :, :, None].to(x.dtype)
    count = valid.sum(2, keepdim=True).clamp(min=1)
    mean = (x * valid).sum(2, keepdim=True) / count
    centred = x - mean
    variance = (centred.square() * valid).sum(2, keepdim=True) / count
    return centred * (variance + eps).rsqrt()


def _split(network: Transformer) -> dict[str, list[Tensor]]:
    split = {"averaged": [], "copied": []}
    for name, parameter in network.named_parameters():
        part = "copied" if name.startswith("positions.") else "averaged"
        split[part].append(whole(parameter))
    return split
