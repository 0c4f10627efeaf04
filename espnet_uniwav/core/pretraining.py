"""The joint model of pre-training: every part and every loss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from torch import Tensor, nn

from espnet_uniwav.core.checkpoint import read_pretrained
from espnet_uniwav.core.features import AbsFeatures, build_features
from espnet_uniwav.core.flow.matching import FlowMatching
from espnet_uniwav.core.nn.draws import same_draws
from espnet_uniwav.core.nn.masks import lengths_to_padding_mask, read_numbers
from espnet_uniwav.core.nn.precision import bfloat16
from espnet_uniwav.core.nn.transformer import TransformerLayer
from espnet_uniwav.core.ssl.dinosr import DinoSR
from espnet_uniwav.core.ssl.encoder import Encoder
from espnet_uniwav.core.ssl.mask import SpanMask
from espnet_uniwav.core.ssl.objective import MaskedBatch, Objective
from espnet_uniwav.core.ssl.optimizer_step import after_optimizer_step
from espnet_uniwav.core.ssl.perturb import Perturb
from espnet_uniwav.io.folder import load_strictly

# Every objective that a configuration may name.
OBJECTIVES: dict[str, type[Objective]] = {
    "dinosr": DinoSR,
    "flow_matching": FlowMatching,
}


class Pretraining(nn.Module):
    """One masked pass of the encoder, and every objective on its states (the paper).

    An objective is a submodule under its name. It follows every optimiser step of the
    model, whatever the training loop.

    Args:
        features: Feature space, frozen.
        encoder: The student.
        objectives: Name -> arguments of the objective of this name in ``OBJECTIVES``,
            or an objective itself. Their order is that of the sum.
        span_mask: Draws the masks, (lengths, num_frames) -> (B, T).
        perturb: Changes the student's and the decoder's features, if it is active.
        num_views: Masked (and perturbed) views of every utterance that the student
            learns from for one pass of the teacher; the decoder learns from the first.
        bf16: Compute in bfloat16 where that is safe, see ``nn.precision``.
        checkpointing: Save memory, see ``TransformerLayer``.
        checkpoint: Start from the weights of this checkpoint, of the same
            architecture. Teacher and codebooks are initialised from these weights.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If it does not fit, or an argument makes no sense.
    """

    def __init__(
        self,
        features: AbsFeatures,
        encoder: Encoder,
        objectives: dict[str, dict | Objective],
        span_mask: nn.Module,
        perturb: Perturb,
        num_views: int = 1,
        bf16: bool = False,
        checkpointing: bool = False,
        checkpoint: str | Path | None = None,
    ):
        super().__init__()
        if num_views < 1:
            raise ValueError(f"num_views must be 1 or more, found {num_views}")
        if perturb.is_active and features.spec.name != "log_mel":
            raise ValueError(
                "perturb stretches the bands of features: log_mel, found "
                f"{features.spec.name}: leave it out"
            )
        self.features = features
        self.encoder = encoder
        self.span_mask = span_mask
        self.perturb = perturb
        self.num_views = num_views
        self.bf16 = bf16
        weights = {}
        if checkpoint is not None:
            weights = read_pretrained(checkpoint, features.spec)
        _load_part(encoder, "encoder", weights, str(checkpoint))
        self._names = tuple(objectives)
        for name, objective in objectives.items():
            if isinstance(objective, dict):
                objective = OBJECTIVES[name](encoder, **objective)
            self.add_module(name, objective)
            for part in objective.model_parts:
                _load_part(getattr(objective, part), part, weights, str(checkpoint))
        for layer in self.layers():
            layer.checkpointing = checkpointing
        after_optimizer_step(self)

    @classmethod
    def from_config(cls, config: dict) -> Pretraining:
        """Build an untrained model.

        Args:
            config: ``features`` (name and arguments), ``encoder`` (arguments),
                ``objectives`` (name -> arguments), ``span_mask`` and ``perturb``
                (arguments, if any), and other arguments of this class.
        """
        config = dict(config)
        features = build_features(**config.pop("features"))
        return cls(
            features,
            Encoder(features.spec.dim, **config.pop("encoder")),
            config.pop("objectives"),
            SpanMask(**config.pop("span_mask", {})),
            Perturb(**config.pop("perturb", {})),
            **config,
        )

    @property
    def objectives(self) -> dict[str, Objective]:
        """The objectives by their names."""
        return {name: self.get_submodule(name) for name in self._names}

    def layers(self) -> Iterator[TransformerLayer]:
        """Every layer of encoder, teacher and decoder."""
        return (m for m in self.modules() if isinstance(m, TransformerLayer))

    def compile_layers(self, *args, **kwargs) -> None:
        """Compile every layer; the arguments are those of ``torch.compile``."""
        for layer in self.layers():
            layer.compile(*args, **kwargs)

    def forward(
        self, inputs: Tensor, lengths: Tensor, labels: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor], int]:
        """Losses of one batch.

        Args:
            inputs: (B, S) samples, or (B, T, F) features.
            lengths: (B,) valid samples or frames.
            labels: (B, L) labels of the frames, for an objective that reads them.

        Returns:
            loss: Weighted sum of the losses.
            stats: Detached scalars.
            number: Masked frames of all views.
        """
        if inputs.dim() == 2:
            inputs, lengths = self.features.extract(inputs, lengths)
        with (
            bfloat16(inputs.device, self.bf16),
            same_draws(inputs.device, not self.training),
        ):
            batch = self.encode(inputs, lengths, labels)
            loss, stats = self._losses(batch)
        frames, number = lengths.sum(), batch.masked.numel()
        stats["loss"] = loss.detach()
        stats["masked_share"] = number / (batch.num_views * frames)
        stats["padding_share"] = 1 - frames / batch.mask.numel()
        return loss, stats, number

    def encode(
        self,
        features: Tensor,
        lengths: Tensor,
        labels: Tensor | None = None,
    ) -> MaskedBatch:
        """Draw masks and run the encoder on all views; in evaluation there is one.

        All numbers that shapes depend on are read from the device together.

        Args:
            features: (B, T, F).
            lengths: (B,) valid frames.
            labels: See ``MaskedBatch``.
        """
        views, length = self.num_views if self.training else 1, features.shape[1]
        all_lengths = lengths.repeat(views)
        mask = self.span_mask(all_lengths, length)
        visible = all_lengths - mask.sum(1)
        shortest, masked, fewest, most = read_numbers(
            lengths.min(), mask.sum(), visible.min(), visible.max()
        )
        padding_mask = padding = None
        if shortest < length:
            padding_mask = lengths_to_padding_mask(lengths, length)
            padding = padding_mask.repeat(views, 1)
        embedded = self.encoder.embed(features)
        if self.perturb.is_active:
            seen = self.perturb(features.repeat(views, 1, 1))
            features = seen[: len(features)]
            student = self.encoder.embed(seen)
        else:
            student = embedded if views == 1 else embedded.repeat(views, 1, 1)
        num_ffn = max(objective.num_ffn for objective in self.objectives.values())
        states, ffn = self.encoder.outputs(
            student, padding, mask, (fewest, most), num_ffn
        )
        return MaskedBatch(
            features,
            lengths,
            padding_mask,
            mask[: len(features)],
            mask.flatten().nonzero_static(size=masked).squeeze(1),
            embedded,
            states,
            ffn,
            labels,
        )

    def _losses(self, batch: MaskedBatch) -> tuple[Tensor, dict[str, Tensor]]:
        total, stats = 0.0, {}
        for name, objective in self.objectives.items():
            loss, more = objective(batch)
            total = total + objective.weight * loss
            stats |= {f"loss_{name}": loss.detach(), **more}
        return total, stats

    def after_optimizer_step(self) -> None:
        """Update teachers and codebooks after an optimiser step."""
        for objective in self.objectives.values():
            objective.after_optimizer_step(self.encoder)


def model_config(config: dict) -> dict:
    """Configuration of the ``UniWav`` that a ``Pretraining`` of this one trains."""
    model = {**{k: config[k] for k in ("features", "encoder")}, "decoder": None}
    if (conf := config["objectives"].get("flow_matching")) is not None:
        model["decoder"] = dict(conf.get("decoder") or {})
        model["kept_frames"] = conf.get("kept_frames", "data")
    return model


def model_prefixes(objectives: Iterable[str]) -> dict[str, str]:
    """Prefixes of names in a ``Pretraining`` -> those in the ``UniWav`` it trains.

    Args:
        objectives: Names in ``OBJECTIVES``.

    Raises:
        ValueError: If two parts would have the same name there.
    """
    prefixes = {"features.": "features.", "encoder.": "encoder."}
    for name in objectives:
        for part in OBJECTIVES[name].model_parts:
            if f"{part}." in prefixes.values():
                raise ValueError(f"{name}: the model has another part {part!r}")
            prefixes[f"{name}.{part}."] = f"{part}."
    return prefixes


def _load_part(
    module: nn.Module, part: str, weights: dict[str, Tensor], where: str
) -> None:
    """Load a part of a ``UniWav`` from its weights, if it has the part."""
    own = {
        name.removeprefix(f"{part}."): value
        for name, value in weights.items()
        if name.startswith(f"{part}.")
    }
    if own:
        load_strictly(module, own, where)
