"""ESPnet2 adapter for recognition: CTC that leaves its blank phase sooner."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from espnet2.asr.espnet_model import ESPnetASRModel
from torch import Tensor
from typeguard import typechecked

from espnet_uniwav.core.nn.masks import lengths_to_padding_mask
from espnet_uniwav.core.nn.precision import bfloat16, full_precision
from espnet_uniwav.integrations.espnet.labels import fit_labels
from espnet_uniwav.integrations.espnet.steps import CountsSteps


class UniWavASRModel(CountsSteps, ESPnetASRModel):
    """``model: uniwav`` of the ASR task: the stock model with an aligned warm-up.

    With little data CTC predicts only blanks for thousands of steps. In the first
    ``warm_up_steps`` training batches the CTC layer therefore also learns the token of
    every frame. The weight of this frame loss falls linearly from 1 to 0. Training
    needs the data name ``alignment`` (token ids, one per frame, -1 = unknown) and
    ``--allow_variable_data_keys true``; see egs2/mini_speech/asr1.

    Args:
        *args: Arguments of the stock model.
        warm_up_steps: Training batches with the frame loss; 0 is the stock model.
        bf16: Compute in bfloat16 where that is safe, see ``nn.precision``.
        **kwargs: Arguments of the stock model.
    """

    @typechecked
    def __init__(self, *args, warm_up_steps: int = 1000, bf16: bool = False, **kwargs):
        super().__init__(*args, **kwargs)
        self.bf16 = bf16
        self.warm_up_steps = warm_up_steps
        self._alignment, self._share = None, 0.0

    def forward(
        self,
        speech: Tensor,
        speech_lengths: Tensor,
        text: Tensor,
        text_lengths: Tensor,
        alignment: Tensor | None = None,
        alignment_lengths: Tensor | None = None,
        **kwargs,
    ):
        """The stock losses; in the warm-up the frame loss replaces part of CTC's.

        Args:
            speech: (B, S) samples.
            speech_lengths: (B,) valid samples.
            text: (B, L) tokens.
            text_lengths: (B,) valid tokens.
            alignment: (B, T) token of every frame, -1 = unknown.
            alignment_lengths: (B,) frames, unused: padding is -1.
            **kwargs: Utterance names.

        Raises:
            RuntimeError: If the warm-up lacks its alignment.
        """
        self._alignment = None
        if self.training and self.step < self.warm_up_steps:
            if alignment is None:
                raise RuntimeError(
                    "model: uniwav warms up with aligned tokens: give "
                    "--train_data_path_and_name_and_type FILE,alignment,text_int and "
                    "--allow_variable_data_keys true, or set warm_up_steps: 0"
                )
            self._alignment = alignment
            self._share = 1.0 - self.step / self.warm_up_steps
            self.step += 1
        with bfloat16(speech.device, self.bf16):
            return super().forward(speech, speech_lengths, text, text_lengths, **kwargs)

    def _calc_ctc_loss(self, encoder_out, encoder_out_lens, ys_pad, ys_pad_lens):
        with full_precision(encoder_out.device):
            encoder_out = encoder_out.float()
            loss, cer = super()._calc_ctc_loss(
                encoder_out, encoder_out_lens, ys_pad, ys_pad_lens
            )
            if self._alignment is not None:
                logits = self.ctc.ctc_lo(encoder_out)
                frames = frame_loss(logits, encoder_out_lens, self._alignment)
                loss = torch.lerp(loss, frames, self._share)
        return loss, cer


def frame_loss(logits: Tensor, lengths: Tensor, alignment: Tensor) -> Tensor:
    """Cross-entropy of the aligned frames, summed per utterance like the CTC loss.

    Args:
        logits: (B, T, V).
        lengths: (B,) valid frames.
        alignment: (B, T') tokens, -1 = unknown; T' may differ by rounding.

    Raises:
        ValueError: If T' is off by more than two frames.
    """
    length = logits.shape[1]
    padding = lengths_to_padding_mask(lengths, length)
    targets = fit_labels(alignment, length, "alignment").masked_fill(padding, -1)
    loss = F.cross_entropy(
        logits.transpose(1, 2), targets, ignore_index=-1, reduction="sum"
    )
    return loss / len(logits)
