"""ESPnet2 adapter for downstream tasks: ``frontend: uniwav`` of asr, st, slu, ..."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from espnet2.asr.frontend.abs_frontend import AbsFrontend
from torch import Tensor
from typeguard import typechecked

from espnet_uniwav.core.model import UniWav
from espnet_uniwav.core.nn.masks import drop_if_unpadded, lengths_to_padding_mask
from espnet_uniwav.core.nn.weighted_sum import WeightedSum
from espnet_uniwav.core.ssl.mask import SpanMask
from espnet_uniwav.integrations.espnet.checked_data import check_data
from espnet_uniwav.integrations.espnet.extend import extend
from espnet_uniwav.integrations.espnet.layer_decay import build_optimizers
from espnet_uniwav.integrations.espnet.pretrained import (
    StartsFromCheckpoint,
    read_architecture,
)
from espnet_uniwav.integrations.espnet.scaling import refuse_wrong_scaling
from espnet_uniwav.integrations.espnet.steps import CountsSteps
from espnet_uniwav.io.bounds import check_number
from espnet_uniwav.io.units import parse_rate

KEY, PARTS = "frontend_conf", ("features", "encoder")


class UniWavEncoderFrontend(StartsFromCheckpoint, CountsSteps, AbsFrontend):
    """Hidden states of a pre-trained encoder as features of a downstream task.

    Args:
        fs: Sampling rate (Hz), also as ``16k``; must be the checkpoint's.
        checkpoint: Folder made by ``uniwav export``, or the name of a model; None
            starts from random weights.
        layer: ``weighted_sum`` (learned, over all states) or the number of one state:
            0 is the input of the layers, N the output of layer N.
        freeze: Freeze the encoder. The weighted sum is trained in any case.
        freeze_steps: Training batches for which the encoder is frozen, while the
            layers after it are trained. Under DDP it needs ESPnet's
            ``unused_parameters: true``.
        layer_decay: Layer n of N learns at ``layer_decay ** (N + 1 - n)`` of the rate
            of the network after it, the projection (n = 0) slowest; 1: all alike.
        mask_prob: Share of frames masked in training, in spans; 0 masks none.
        mask_length: Frames per span.
        channel_mask_prob: Share of channels set to zero in training, in spans.
        channel_mask_length: Channels per span.
        dropout: Replaces the checkpoint's dropout.
        layer_drop: Replaces the checkpoint's layer_drop.
        architecture: The checkpoint's model configuration. ``build_model`` of the
            tasks writes it to the saved config.yaml, so that a fine-tuned model no
            longer needs the checkpoint. Required if checkpoint is None.

    Raises:
        FileNotFoundError: If the checkpoint is missing and nothing describes it.
        ValueError: If the checkpoint, the rate or the layer do not fit.
    """

    @typechecked
    def __init__(
        self,
        fs: int | str = 16000,
        checkpoint: str | Path | None = None,
        layer: int | str = "weighted_sum",
        freeze: bool = False,
        freeze_steps: int = 0,
        layer_decay: float = 1.0,
        mask_prob: float = 0.0,
        mask_length: int = 10,
        channel_mask_prob: float = 0.0,
        channel_mask_length: int = 16,
        dropout: float | None = None,
        layer_drop: float | None = None,
        architecture: dict | None = None,
    ):
        super().__init__()
        self.checkpoint = checkpoint
        self.freeze = freeze
        self.freeze_steps = freeze_steps
        check_number("layer_decay", layer_decay)
        self.layer_decay = layer_decay
        architecture = architecture or read_architecture(checkpoint, PARTS, KEY)
        model = _build_encoder(architecture, dropout, layer_drop)
        _check_rate(fs, model.features.spec.sample_rate, checkpoint)
        self.features, self.encoder = model.features, model.encoder
        pretrained = self.read_weights(model.features.spec)
        if pretrained is not None:
            self.encoder.load_state_dict(pretrained.encoder.state_dict())
            self.features.load_state_dict(pretrained.features.state_dict())
        self.weighted_sum = self._choose(layer)
        self.frame_mask = _span_mask(mask_prob, mask_length)
        self.channel_mask = _span_mask(channel_mask_prob, channel_mask_length)
        self.encoder.requires_grad_(not freeze)
        if self.frame_mask is None:
            self.encoder.mask_embedding.requires_grad_(False)

    @staticmethod
    def adapt_task(task: type) -> None:
        """Make a task save our architecture, and heed ``layer_decay``.

        ESPnet saves its arguments after ``build_model``, which may change them. With
        ``--collect_stats`` only lengths are collected, so the encoder does not run.

        Args:
            task: An ESPnet task with front ends. A second call has no effect.
        """
        extend(task, "build_model", _build_model)
        extend(task, "build_optimizers", build_optimizers)
        refuse_wrong_scaling(task)
        check_data(task)

    def output_size(self) -> int:
        """Width D of a frame."""
        return self.encoder.embed_dim

    def forward(self, input: Tensor, input_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Encode speech.

        Args:
            input: (B, S) samples.
            input_lengths: (B,) valid samples.

        Returns:
            (B, T, D) states, zero at padding, and (B,) valid frames.

        Raises:
            RuntimeError: If neither the checkpoint nor trained weights were loaded.
        """
        self.require_weights()
        x, lengths = self.features.extract(input, input_lengths)
        padding_mask = lengths_to_padding_mask(lengths, x.shape[1])
        learns = not self.freeze and self.step >= self.freeze_steps
        self.step += self.training
        with torch.set_grad_enabled(torch.is_grad_enabled() and learns):
            states = self._states(x, lengths, drop_if_unpadded(padding_mask))
        z = states[-1] if self.weighted_sum is None else self.weighted_sum(states)
        return z.masked_fill(padding_mask[..., None], 0.0), lengths

    def train(self, mode: bool = True):
        """Set the mode; a frozen encoder stays in evaluation mode."""
        super().train(mode)
        if self.freeze:
            self.encoder.eval()
        return self

    def _states(
        self, x: Tensor, lengths: Tensor, padding_mask: Tensor | None
    ) -> list[Tensor]:
        embedded = self.encoder.embed(x)
        mask = None
        if self.training and not self.freeze:
            if self.channel_mask is not None:
                width = lengths.new_full((len(x),), embedded.shape[-1])
                channels = self.channel_mask(width, embedded.shape[-1])
                embedded = embedded.masked_fill(channels[:, None], 0.0)
            if self.frame_mask is not None:
                mask = self.frame_mask(lengths, x.shape[1])
        return self.encoder(embedded, padding_mask, mask)

    def _choose(self, layer: int | str) -> WeightedSum | None:
        """The sum over all states; or None, with the layers above N cut off."""
        number = self.encoder.num_layers
        if layer == "weighted_sum":
            return WeightedSum(number + 1)
        if not isinstance(layer, int) or not 0 <= layer <= number:
            raise ValueError(
                f"frontend_conf: layer must be weighted_sum or 0 to {number}, the "
                f"layers of {self.checkpoint or 'the architecture'}, found {layer!r}"
            )
        self.encoder.truncate(layer)
        return None


def _build_model(build: Callable, args: argparse.Namespace):
    """Describe the architecture, then build as the task does."""
    if getattr(args, "frontend", None) != "uniwav":
        return build(args)
    _describe(args)
    model = build(args)
    if getattr(args, "collect_stats", False):
        model.extract_feats_in_collect_stats = False
    return model


def _describe(args: argparse.Namespace) -> None:
    if getattr(args, "normalize", None) == "global_mvn":
        raise ValueError(
            "normalize: global_mvn needs statistics of fixed features, but frontend: "
            "uniwav learns: set normalize: null or utterance_mvn (asr.sh: "
            "--feats_normalize utterance_mvn)"
        )
    conf = args.frontend_conf
    if conf.get("checkpoint") and not conf.get("architecture"):
        architecture = read_architecture(conf["checkpoint"], PARTS, KEY)
        args.frontend_conf = {**conf, "architecture": architecture}


def _build_encoder(
    architecture: dict, dropout: float | None, layer_drop: float | None
) -> UniWav:
    changes = {"dropout": dropout, "layer_drop": layer_drop}
    changes = {key: value for key, value in changes.items() if value is not None}
    encoder = {**architecture["encoder"], **changes}
    return UniWav.from_config(
        {"features": architecture["features"], "encoder": encoder}
    )


def _check_rate(fs: int | str, expected: int, checkpoint: str | None) -> None:
    found = parse_rate(fs)
    if found != expected:
        raise ValueError(
            f"frontend_conf: fs is {found} Hz, but {checkpoint or 'the architecture'} "
            f"works at {expected} Hz: resample the data (asr.sh: --fs) and set fs"
        )


def _span_mask(prob: float, length: int) -> SpanMask | None:
    return SpanMask(prob, length) if prob > 0 else None
