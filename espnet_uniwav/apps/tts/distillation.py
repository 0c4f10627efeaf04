"""The frozen teacher of a synthesiser that speaks in few steps."""

from __future__ import annotations

import torch
from torch import Tensor

from espnet_uniwav.apps.tts.batch import Batch
from espnet_uniwav.apps.tts.network import SynthesizerNetwork
from espnet_uniwav.core.flow.distillation import distillation_loss
from espnet_uniwav.core.flow.sampling import Sampling
from espnet_uniwav.core.nn.precision import full_precision


class Teacher:
    """A frozen synthesiser whose guided trajectories a student learns to follow.

    It is no ``nn.Module``: a student that holds it neither saves nor trains its
    weights.

    Args:
        synthesizer: The model; it is frozen.
        sampling: How it speaks; its steps are a multiple of ``num_steps``.
        num_steps: Steps of the student.
        same_condition: The student differs from it in the decoder alone, so that the
            teacher's condition is also that of the student.
    """

    def __init__(
        self,
        synthesizer: SynthesizerNetwork,
        sampling: Sampling,
        num_steps: int,
        same_condition: bool = True,
    ):
        self.synthesizer = synthesizer.eval().requires_grad_(False)
        self.sampling = sampling
        self.num_steps = num_steps
        self.same_condition = same_condition

    def loss(
        self, student: SynthesizerNetwork, batch: Batch
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one batch, with gaps as in the training of the teacher.

        Args:
            student: In training; its text is encoded without dropout.
            batch: As of ``SynthesizerNetwork``.

        Returns:
            loss: Scalar in fp32.
            stats: Detached scalars.
        """
        batch = batch._replace(x=batch.x.float())
        x = batch.x
        with torch.no_grad(), full_precision(x.device):
            masked = self.synthesizer.draw_gaps(batch)
            _, z = self.synthesizer.encode(masked, x)
        student_z = None
        if not self.same_condition:
            student.text_encoder.eval()
            _, student_z = student.encode(masked, x)
        loss = distillation_loss(
            student.uniwav.decoder,
            self.synthesizer.uniwav.decoder,
            x,
            masked.mask,
            z,
            masked.padding_mask,
            self.sampling,
            self.num_steps,
            self.synthesizer.uniwav.kept_frames,
            student_z,
        )
        return loss, {"loss_distil": loss.detach()}
