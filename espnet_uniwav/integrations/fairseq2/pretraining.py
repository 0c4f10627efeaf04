"""The model that pre-training updates: encoder, decoder, teacher, both losses."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from espnet_uniwav.core.features import build_features
from espnet_uniwav.core.flow.matching import FlowMatching
from espnet_uniwav.core.nn.draws import same_draws
from espnet_uniwav.core.nn.precision import bfloat16
from espnet_uniwav.core.nn.processes import copy_from_first_process
from espnet_uniwav.core.nn.transformer import TransformerLayer
from espnet_uniwav.core.ssl.dinosr import DinoSR
from espnet_uniwav.core.ssl.encoder import Encoder
from espnet_uniwav.core.ssl.mask import SpanMask
from espnet_uniwav.core.ssl.masked_pass import masked_pass
from espnet_uniwav.core.ssl.optimizer_step import after_optimizer_step
from espnet_uniwav.core.ssl.perturb import Perturb
from espnet_uniwav.integrations.fairseq2.config import PretrainingConfig

PRETRAINING = "uniwav_pretraining"


class Pretraining(nn.Module):
    """Masked prediction of the teacher's clusters, and flow matching.

    Args:
        config: Sizes and arguments of all parts.

    Raises:
        ValueError: If both losses are left out.
    """

    def __init__(self, config: PretrainingConfig):
        super().__init__()
        if config.dinosr is None and config.decoder is None:
            raise ValueError("dinosr and decoder are both null: no loss is left")
        self.features = build_features(**config.features)
        dim = self.features.spec.dim
        self.encoder = Encoder(dim, **config.encoder)
        self.span_mask = SpanMask(**config.span_mask)
        self.perturb = Perturb(**config.perturb)
        self.num_views = config.num_views
        self.flow_weight = config.flow_weight
        self.bf16 = config.bf16
        self.dinosr = self.flow_matching = None
        if config.dinosr is not None:
            self.dinosr = DinoSR(self.encoder, **config.dinosr)
        if config.decoder is not None:
            self.flow_matching = FlowMatching(
                self.encoder,
                dim,
                config.decoder,
                config.drop_prob,
                config.kept_frames,
                config.crop,
            )
        after_optimizer_step(self)

    def freeze(self) -> None:
        """Leave the teacher and the features out of the gradient.

        fairseq2 makes all parameters of a training model trainable.
        """
        self.features.requires_grad_(False)
        if self.dinosr is not None:
            self.dinosr.teacher.requires_grad_(False)

    def forward(
        self, speech: Tensor, speech_lengths: Tensor
    ) -> tuple[Tensor, dict[str, Tensor], int]:
        """Losses of one batch.

        Args:
            speech: (B, S) samples.
            speech_lengths: (B,) valid samples.

        Returns:
            loss: Mean over the masked frames.
            stats: Detached scalars.
            number: Masked frames.
        """
        x, lengths = self.features.extract(speech, speech_lengths)
        with (
            bfloat16(speech.device, self.bf16),
            same_draws(speech.device, not self.training),
        ):
            batch = masked_pass(
                self.encoder,
                self.span_mask,
                self.perturb,
                x,
                lengths,
                self.num_views if self.training else 1,
                0 if self.dinosr is None else self.dinosr.num_ffn,
            )
            loss, stats = self._losses(batch)
        return loss, {"loss": loss.detach(), **stats}, batch["masked"].numel()

    def _losses(self, batch: dict) -> tuple[Tensor, dict[str, Tensor]]:
        states, padding_mask = batch["hidden_states"], batch["padding_mask"]
        total, stats = 0.0, {}
        if self.dinosr is not None:
            total, more = self.dinosr(
                batch["embedded"],
                states,
                padding_mask,
                batch["masked"],
                batch["ffn_outputs"],
            )
            stats = {"loss_dinosr": total.detach(), "accuracy": more["accuracy"]}
        if self.flow_matching is not None:
            loss, _ = self.flow_matching(
                batch["features"], states, padding_mask, batch["mask"]
            )
            total = total + self.flow_weight * loss
            stats["loss_flow_matching"] = loss.detach()
        return total, stats

    def stat_names(self) -> list[str]:
        """Names of the statistics that ``forward`` returns."""
        names = ["loss"]
        if self.dinosr is not None:
            names += ["loss_dinosr", "accuracy"]
        return names + ["loss_flow_matching"] * (self.flow_matching is not None)

    def after_optimizer_step(self) -> None:
        """Update the teacher and the codebooks after an optimiser step."""
        if self.dinosr is not None:
            self.dinosr.after_optimizer_step(self.encoder)


def compile_layers(model: Pretraining, *args, **kwargs) -> None:
    """Compile every layer of encoder, decoder and teacher.

    Args:
        model: Before FSDP.
        *args, **kwargs: Of ``torch.compile``.
    """
    for layer in model.modules():
        if isinstance(layer, TransformerLayer):
            layer.compile(*args, **kwargs)


@torch.no_grad()
def apply_fsdp(
    model: Pretraining, granularity: str, wrapper: Callable[..., nn.Module]
) -> nn.Module:
    """Shard all that the optimiser trains; every process has the whole teacher.

    Args:
        model: On the device of the process.
        granularity: ``layer``: gather one layer at a time; ``stack``: all together.
        wrapper: Given by fairseq2.
    """
    # Imported here, so that the model itself needs no fairseq2.
    from fairseq2.models.utils.fsdp import apply_layerwise_fsdp

    teacher = None
    if model.dinosr is not None:
        teacher = model.dinosr.teacher
        # The wrapper cannot be told to ignore a module.
        model.dinosr.teacher = None
    if granularity == "layer":
        apply_layerwise_fsdp(model.encoder.transformer.layers, wrapper)
        if model.flow_matching is not None:
            apply_layerwise_fsdp(model.flow_matching.decoder.layers, wrapper)
    wrapped = wrapper(model, reshard_after_forward=False)
    if teacher is not None:
        copy_from_first_process(*teacher.parameters(), *teacher.buffers())
        model.dinosr.teacher = teacher
    return wrapped
