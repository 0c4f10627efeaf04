"""The encoder's objective: predict the teacher's clusters at masked frames."""

from __future__ import annotations

import logging
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typeguard import typechecked

from espnet_uniwav.core.nn.positions import ConvStack
from espnet_uniwav.core.nn.processes import sum_over_processes
from espnet_uniwav.core.nn.transformer import initialise
from espnet_uniwav.core.ssl.codebook import OnlineCodebook, count_codes, perplexity
from espnet_uniwav.core.ssl.encoder import Encoder
from espnet_uniwav.core.ssl.objective import MaskedBatch, Objective
from espnet_uniwav.core.ssl.teacher import EMATeacher

# Of the predictor, as in data2vec 2.0.
PREDICTOR_KERNEL = 7
HEADS = ("last", "own_ffn", "own_state")
COLLAPSE_SHARE = 0.1
COLLAPSE_EPOCHS = 2


class DinoSR(Objective):
    """Self-distillation with online clustering (Liu et al. 2023).

    The teacher reads the unmasked input. Each of its top K layers has its own
    codebook. K linear heads on the student predict the codes of the masked frames.
    The loss is the cross-entropy, averaged over heads and masked frames.

    All heads read the student's last state (``heads: last``), or each reads the
    student's own layer of the depth of its codebook: what the FFN adds there, as the
    targets are (``own_ffn``, SpidR, Poli et al. 2025), or its output
    (``own_state``). This loss does not train the last norm with ``own_ffn``, and a
    dropped layer would have no FFN output: that needs ``layer_drop: 0.0``. With
    ``own_state`` a dropped layer's head reads the layer below.

    With ``unmasked_weight``, visible frames count too (as in HuBERT). The student
    learns these much sooner, because it sees them.

    The student may see several views of every utterance, each with its own mask, for
    one pass of the teacher (data2vec 2.0). An encoder with ``visible_only`` has no
    states at masked frames: a few convolutions before the heads fill the gaps. They
    are the same for all layers that the heads read, and run on each.

    A codebook is reported as collapsing if, for COLLAPSE_EPOCHS epochs in a row, it
    used less than COLLAPSE_SHARE of its codes, or its perplexity stayed below
    COLLAPSE_SHARE of them.

    Args:
        encoder: The student.
        num_codebooks: Top layers K with a codebook; None: two thirds of the layers.
        codebook_size: Codewords V of each.
        codebook_decay: Of the codewords.
        ema_decay: First decay of the teacher.
        ema_end_decay: Last decay of the teacher.
        anneal_steps: Updates between the two, see ``EMATeacher``.
        freeze_step: Update after which the teacher is frozen, or None.
        codebook_init: ``random`` (DinoSR) or ``data``, see ``OnlineCodebook``.
        unmasked_weight: Weight of an unmasked frame in the average; 0 (DinoSR) leaves
            such frames out, of the codebooks too.
        predictor_layers: Convolutions before the heads; None: 4 if the encoder leaves
            masked frames out (``visible_only``), else 0.
        heads: ``last`` (DinoSR), ``own_ffn`` (SpidR) or ``own_state``, see above.
        ema_schedule: ``linear`` (DinoSR) or ``exponential`` (SpidR), see
            ``EMATeacher``.
        teacher_bf16: Let the teacher compute in bfloat16, see ``EMATeacher``. After 209
            updates of ``small``, 0.3 % of the codes were others.
        weight: Factor of this loss in the sum.
    """

    @typechecked
    def __init__(
        self,
        encoder: Encoder,
        num_codebooks: int | None = None,
        codebook_size: int = 256,
        codebook_decay: float = 0.9,
        ema_decay: float = 0.999,
        ema_end_decay: float = 0.9999,
        anneal_steps: int = 30000,
        freeze_step: int | None = None,
        codebook_init: str = "random",
        unmasked_weight: float = 0.0,
        predictor_layers: int | None = None,
        heads: str = "last",
        ema_schedule: str = "linear",
        teacher_bf16: bool = False,
        weight: float = 1.0,
    ):
        super().__init__(weight)
        if unmasked_weight < 0:
            raise ValueError(
                f"unmasked_weight must not be negative, found {unmasked_weight}"
            )
        _check_heads(heads, encoder.transformer.layer_drop)
        self.num_codebooks = num_codebooks = _check_number(
            num_codebooks, encoder.num_layers
        )
        self.codebook_size = codebook_size
        self.unmasked_weight = unmasked_weight
        self.reads = heads
        self.num_ffn = num_codebooks if heads == "own_ffn" else 0
        self.teacher = EMATeacher(
            encoder.transformer,
            ema_decay,
            ema_end_decay,
            anneal_steps,
            freeze_step,
            ema_schedule,
            teacher_bf16,
        )
        self.codebooks = OnlineCodebook(
            num_codebooks,
            codebook_size,
            encoder.embed_dim,
            codebook_decay,
            codebook_init,
        )
        if predictor_layers is None:
            predictor_layers = 4 if encoder.visible_only else 0
        self.predictor = ConvStack(
            encoder.embed_dim, predictor_layers, PREDICTOR_KERNEL
        )
        self.heads = nn.Linear(encoder.embed_dim, num_codebooks * codebook_size)
        initialise(self.heads)
        usage = torch.zeros(num_codebooks, codebook_size)
        self.register_buffer("usage", usage, persistent=False)
        self.register_buffer("low_epochs", torch.zeros(num_codebooks))
        self._epoch_is_open = False

    def forward(self, batch: MaskedBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one batch; the statistics are those of the masked frames."""
        padding = batch.padding_of_views()
        frames = self._frames(batch.hidden_states[-1], padding, batch.masked)
        targets = self.teacher(
            batch.embedded.detach(), batch.padding_mask, self.num_codebooks
        )
        codes = self._assign(targets.flatten(1, 2), frames, batch.num_views)
        own = self.reads == "own_ffn"
        outputs = batch.ffn_outputs if own else batch.hidden_states
        logits = self._logits(self._student(outputs, padding, frames)).float()
        number = len(batch.masked)
        losses = F.cross_entropy(
            logits.flatten(0, 1), codes.flatten(), reduction="none"
        ).view_as(codes)
        loss = (
            losses[:, :number].sum() + self.unmasked_weight * losses[:, number:].sum()
        )
        weight = number + self.unmasked_weight * (len(frames) - number)
        loss = loss / max(self.num_codebooks * weight, 1)
        return loss, self._stats(logits[:, :number].detach(), codes[:, :number])

    def after_optimizer_step(self, encoder: Encoder) -> None:
        """Update codebooks and teacher, once per optimiser step actually taken."""
        self.codebooks.update()
        self.teacher.update(encoder.transformer)

    def _student(
        self, outputs: list[Tensor], padding: Tensor | None, frames: Tensor
    ) -> Tensor:
        """Frames that the heads read, (K, N, D), or (1, N, D) if all read the same."""
        number = 1 if self.reads == "last" else self.num_codebooks
        layers = outputs[-number:]
        if len(self.predictor.layers):
            x = torch.stack(layers)
            padding = None if padding is None else padding.repeat(number, 1)
            layers = x + self.predictor(x.flatten(0, 1), padding).view_as(x)
        return torch.stack([x.flatten(0, 1).index_select(0, frames) for x in layers])

    def _logits(self, student: Tensor) -> Tensor:
        """Map (K, N, D), or (1, N, D) for all heads, to (K, N, V)."""
        if self.reads == "last":
            logits = self.heads(student[0]).unflatten(-1, (self.num_codebooks, -1))
            return logits.transpose(0, 1)
        weight = self.heads.weight.unflatten(0, (self.num_codebooks, -1))
        bias = self.heads.bias.view(self.num_codebooks, 1, -1)
        return torch.baddbmm(bias, student, weight.transpose(1, 2))

    def _assign(self, targets: Tensor, frames: Tensor, views: int) -> Tensor:
        """Codes (K, N); a frame used in several views is clustered once.

        Args:
            targets: (K, B * T, D).
            frames: (N,) indices in the flattened (V * B * T).
            views: V.
        """
        own, place = frames, slice(None)
        if views > 1:
            own, place = (frames % targets.shape[1]).unique(return_inverse=True)
        return self.codebooks.assign(targets[:, own], collect=self.training)[:, place]

    def _frames(
        self, student: Tensor, padding_mask: Tensor | None, masked: Tensor
    ) -> Tensor:
        """Indices of the frames in the loss, the masked ones first."""
        if not self.unmasked_weight:
            return masked
        kept = student.new_ones(student.shape[:2], dtype=torch.bool)
        if padding_mask is not None:
            kept &= ~padding_mask
        kept = kept.flatten().index_fill_(0, masked, False)
        if padding_mask is None:
            kept = kept.nonzero_static(size=len(kept) - len(masked))
        else:
            kept = kept.nonzero()  # on a GPU, waits for their number
        return torch.cat([masked, kept.squeeze(1)])

    @torch.no_grad()
    def _stats(self, logits: Tensor, codes: Tensor) -> dict[str, Tensor]:
        number = count_codes(codes, self.codebook_size)
        target = perplexity(number)
        prediction = perplexity(logits.softmax(-1).sum(1))
        stats = {
            "accuracy": (logits.argmax(-1) == codes).sum() / max(codes.numel(), 1),
            "ema_decay": self.teacher.decay(),
        }
        for k in range(self.num_codebooks):
            stats[f"target_perplexity_{k}"] = target[k]
            stats[f"prediction_perplexity_{k}"] = prediction[k]
        return {**stats, **self._epoch_stats(number)}

    def _epoch_stats(self, number: Tensor) -> dict[str, Tensor]:
        """Collect code usage in training; report that of the epoch in validation."""
        if self.training:
            if not self._epoch_is_open:
                self.usage.zero_()
                self._epoch_is_open = True
            sum_over_processes(number)
            self.usage += number
            return {}
        share = (self.usage > 0).float().mean(1)
        entropy = perplexity(self.usage).log() / math.log(self.codebook_size)
        if self._epoch_is_open:
            self._epoch_is_open = False
            self._watch(share, entropy)
        stats = {f"codes_used_{k}": v for k, v in enumerate(share)}
        return {**stats, **{f"entropy_{k}": v for k, v in enumerate(entropy)}}

    def _watch(self, share: Tensor, entropy: Tensor) -> None:
        perplexity = self.codebook_size ** (entropy - 1)
        low = torch.minimum(share, perplexity) < COLLAPSE_SHARE
        self.low_epochs.copy_(torch.where(low, self.low_epochs + 1, 0))
        for k, epochs in enumerate(self.low_epochs.tolist()):
            if epochs >= COLLAPSE_EPOCHS:
                logging.warning(
                    "codebook %d is collapsing: for %d epochs it used %.0f %% of its "
                    "codes with a perplexity of %.0f %% of their number (threshold "
                    "%.0f %%). Try a lower optim_conf.lr or a longer warm-up, a higher "
                    "ema_decay, or fewer num_codebooks (loss conf of dinosr).",
                    k,
                    epochs,
                    100 * share[k],
                    100 * perplexity[k],
                    100 * COLLAPSE_SHARE,
                )


def _check_number(num_codebooks: int | None, num_layers: int) -> int:
    if num_codebooks is None:
        num_codebooks = round(num_layers * 2 / 3)
    if not 1 <= num_codebooks <= num_layers:
        raise ValueError(
            f"num_codebooks must be in 1..{num_layers} (the encoder's layers), found "
            f"{num_codebooks}"
        )
    return num_codebooks


def _check_heads(heads: str, layer_drop: float) -> None:
    if heads not in HEADS:
        raise ValueError(f"heads must be one of {HEADS}, found {heads!r}")
    if heads == "own_ffn" and layer_drop:
        raise ValueError(
            "heads: own_ffn needs the FFN of every layer: set layer_drop: 0.0, "
            f"found {layer_drop}, or heads: own_state"
        )
