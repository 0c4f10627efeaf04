"""Pre-training with fairseq2's trainer.

    python -m espnet_uniwav.integrations.fairseq2.recipe

doc/fairseq2.md shows the keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from fairseq2.composition import register_dataset_family
from fairseq2.datasets import SequenceBatch, SyncMode
from fairseq2.metrics import Mean, MetricBag
from fairseq2.recipe import Recipe, RecipeContext, main
from fairseq2.recipe.config import (
    ADAMW_OPTIMIZER,
    TRI_STAGE_LR,
    AdamWConfig,
    CommonSection,
    CompileOptions,
    DatasetSection,
    GangSection,
    LRSchedulerSection,
    MixedPrecisionConfig,
    ModelSection,
    OptimizerSection,
    RegimeSection,
    TrainerSection,
    TriStageLRConfig,
)
from fairseq2.recipe.evaluator import EvalUnit
from fairseq2.recipe.trainer import Trainer, TrainUnit
from fairseq2.runtime.dependency import DependencyContainer
from fairseq2.utils.validation import ValidationResult
from torch import Tensor, nn

from espnet_uniwav.core.pretraining import Pretraining
from espnet_uniwav.integrations.fairseq2.dataset import (
    DATASET,
    SpeechDataset,
    SpeechDatasetConfig,
    SpeechReading,
)
from espnet_uniwav.integrations.fairseq2.pretraining import (
    PRETRAINING,
    freeze,
    stat_names,
)

HALVES = (
    "casts to half precision what must stay fp32 (speech, teacher, codebooks); use "
    "model.config_overrides.bf16=true"
)


@dataclass(kw_only=True)
class SpeechSection(DatasetSection):
    """The dataset and how it becomes batches, see ``SpeechReading``.

    Attributes:
        train_split: Name of the recordings to train on.
        valid_split: Name of those to validate with; None: no validation.
    """

    family: str | None = DATASET
    train_split: str = "train"
    valid_split: str | None = "valid"
    max_seconds: float = 32.0
    shuffle: bool = True
    num_prefetch: int = 4


@dataclass(kw_only=True)
class PretrainConfig:
    """The defaults are those of egs2/mini_speech/ssl1/conf/train_tiny.yaml."""

    model: ModelSection = field(
        default_factory=lambda: ModelSection(
            family=PRETRAINING,
            arch="tiny",
            compile_options=CompileOptions(dynamic=True),
        )
    )
    dataset: SpeechSection = field(default_factory=SpeechSection)
    gang: GangSection = field(default_factory=GangSection)
    trainer: TrainerSection = field(
        default_factory=lambda: TrainerSection(
            mixed_precision=MixedPrecisionConfig(mode="off", dtype=torch.float32),
            max_grad_norm=1.0,
        )
    )
    optimizer: OptimizerSection = field(
        default_factory=lambda: OptimizerSection(
            name=ADAMW_OPTIMIZER,
            config=AdamWConfig(lr=7e-4, betas=(0.9, 0.98), weight_decay=0.01),
        )
    )
    lr_scheduler: LRSchedulerSection = field(
        default_factory=lambda: LRSchedulerSection(
            name=TRI_STAGE_LR,
            config=TriStageLRConfig(
                stage_ratio=(0.05, 0.45, 0.5), start_lr_scale=0.01, final_lr_scale=0.05
            ),
        )
    )
    regime: RegimeSection = field(
        default_factory=lambda: RegimeSection(
            num_steps=560,
            validate_every_n_steps=140,
            checkpoint_every_n_steps=140,
            keep_last_n_checkpoints=1,
            publish_metrics_every_n_steps=10,
        )
    )
    common: CommonSection = field(default_factory=CommonSection)

    def validate(self) -> ValidationResult:
        """Refuse what would train the model wrongly."""
        result, trainer = ValidationResult(), self.trainer
        if self.model.dtype != torch.float32:
            result.add_error(
                f"model.dtype: expected float32, found {self.model.dtype}: {HALVES}"
            )
        if trainer.data_parallelism == "fsdp":
            if trainer.mixed_precision.mode == "static":
                result.add_error(f"trainer.mixed_precision.mode: static: {HALVES}")
            if trainer.fsdp.version != "v2":
                result.add_error(
                    f"trainer.fsdp.version: expected v2, found {trainer.fsdp.version}"
                )
            if trainer.fsdp.granularity == "model":
                result.add_error(
                    "trainer.fsdp.granularity: expected layer or stack, found model, "
                    "which shards the teacher: it would never be updated"
                )
        return result


class PretrainRecipe(Recipe):
    """DinoSR and flow matching on recordings without labels."""

    def register(self, container: DependencyContainer) -> None:
        """Register the dataset; the model is registered by the entry point."""
        register_dataset_family(
            container,
            DATASET,
            SpeechDataset,
            SpeechDatasetConfig,
            opener=SpeechDataset,
        )

    def setup_model(
        self, context: RecipeContext, model: nn.Module, newly_initialized: bool
    ) -> nn.Module:
        """Leave the teacher out of the gradient."""
        freeze(model)
        return model

    def create_task(self, context: RecipeContext) -> Trainer:
        """The trainer, its batches, and those of validation."""
        config = context.get_config_as(PretrainConfig)
        model = context.get_data_parallel_model()
        base = context.get_model_as(Pretraining)
        train = self._reader(context, base, config.dataset.train_split, True)
        units, readers = [], []
        if config.dataset.valid_split is not None:
            units = [ValidUnit(model, base)]
            readers = [self._reader(context, base, config.dataset.valid_split, False)]
        return context.create_trainer(PretrainUnit(model, base), train, units, readers)

    @staticmethod
    def _reader(context: RecipeContext, model: Pretraining, split: str, training: bool):
        config = context.get_config_as(PretrainConfig)
        section, accumulation = config.dataset, config.trainer.grad_accumulation
        reading = SpeechReading(
            sample_rate=model.features.spec.sample_rate,
            max_seconds=section.max_seconds,
            shuffle=section.shuffle and training,
            seed=config.common.seed,
            num_accumulate=accumulation.num_batches if training else 1,
            num_prefetch=section.num_prefetch,
        )
        sync_mode = SyncMode.UNTIL_FIRST if training else SyncMode.UNTIL_LAST
        dataset = context.get_dataset_as(SpeechDataset)
        return dataset.create_reader(split, context.gangs, reading, sync_mode)

    def has_static_autograd_graph(self, context: RecipeContext) -> bool:
        """A layer may be dropped (``layer_drop``)."""
        return False

    @property
    def config_kls(self) -> type[object]:
        """Class of the configuration."""
        return PretrainConfig


class PretrainUnit(TrainUnit[SequenceBatch]):
    """Losses of training batches.

    Args:
        model: Wrapped for several processes.
        base: The model itself.
    """

    def __init__(self, model: nn.Module, base: Pretraining):
        self.module, self.base = model, base

    def prepare_metric_bag(self, metric_bag: MetricBag) -> None:
        """Add the mean of every statistic."""
        for name in stat_names(self.base):
            metric_bag.add(name, Mean())

    def process_batch(
        self, batch: SequenceBatch, metric_bag: MetricBag
    ) -> tuple[Tensor, int]:
        """Sum of the loss over the masked frames, and their number."""
        lengths = torch.tensor(batch.seq_lens, device=batch.seqs.device)
        loss, stats, number = self.module(batch.seqs, lengths)
        for name in stat_names(self.base):
            metric_bag.get(name, Mean).update(stats[name], weight=number)
        return loss * number, number


class ValidUnit(EvalUnit[SequenceBatch]):
    """Losses of validation batches, see ``PretrainUnit``."""

    def __init__(self, model: nn.Module, base: Pretraining):
        self.unit = PretrainUnit(model, base)

    def prepare_metric_bag(self, metric_bag: MetricBag) -> None:
        """Add the mean of every statistic."""
        self.unit.prepare_metric_bag(metric_bag)

    def process_batch(self, batch: SequenceBatch, metric_bag: MetricBag) -> None:
        """Update the statistics."""
        self.unit.process_batch(batch, metric_bag)


if __name__ == "__main__":
    main(PretrainRecipe())
