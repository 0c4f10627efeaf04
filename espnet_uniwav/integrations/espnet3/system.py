"""Pre-training as a system of ESPnet3.

The task is ESPnet2's own, with our parts registered: a training configuration has its
arguments below ``model``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from espnet3.components.data.data_organizer import DataOrganizer
from espnet3.components.modeling.lightning_module import ESPnetLightningModule
from espnet3.components.trainers.trainer import ESPnet3LightningTrainer
from espnet3.contract.stages import StageSpec
from espnet3.systems.base.system import BaseSystem
from espnet3.utils.task_utils import get_espnet_model
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from espnet_uniwav import plugin
from espnet_uniwav.integrations.espnet.experiment import export_experiment
from espnet_uniwav.integrations.espnet.ssl_frontend import describe_codec
from espnet_uniwav.io.output import write_text
from espnet_uniwav.io.saved import read_state

plugin.register()

HALVES = ("16-true", "bf16-true", "transformer-engine", "transformer-engine-float16")
SHARDED = ("deepspeed", "fsdp", "modelparallel")


class UniWavSystem(BaseSystem):
    """Stages of pre-training.

    ``export`` writes ``exp_dir/checkpoint``, which ``infer`` and ``pack_model`` take;
    ``measure`` computes the losses of the validation set.
    """

    stages: ClassVar[tuple[StageSpec, ...]] = (
        *BaseSystem.stages[:3],
        StageSpec(name="export", config="training", log_dir="exp_dir"),
        StageSpec(name="infer", config="inference", log_dir="inference_dir"),
        StageSpec(name="measure", config=("training", "metrics"), log_dir="exp_dir"),
        *BaseSystem.stages[5:],
    )

    def collect_stats(self, *args, **kwargs) -> None:
        """Write the lengths of recordings that batches are made by.

        Our features need no statistics.
        """
        self._reject_stage_args("collect_stats", args, kwargs)
        config = self.training_config
        organizer = instantiate(config.dataset)
        for split in ("train", "valid"):
            path = Path(config.stats_dir) / split / "speech_shape"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, "".join(_shape_lines(organizer, split)))

    def train(self, *args, **kwargs) -> None:
        """Train as every system does, unless the settings would train wrongly.

        Raises:
            ValueError: If they would.
        """
        if reason := find_reason(self.training_config.trainer):
            raise ValueError(reason)
        # ESPnet3 saves the configuration before the task adds to it.
        model = self.training_config.model
        frontend = OmegaConf.to_container(model.frontend_conf, resolve=True)
        model.frontend_conf = describe_codec(frontend)
        super().train(*args, **kwargs)

    def export(self, *args, **kwargs) -> None:
        """Write the checkpoint folder; errors as of ``export_experiment``."""
        self._reject_stage_args("export", args, kwargs)
        config = self.training_config
        folder = Path(config.exp_dir) / "checkpoint"
        export_experiment(config.exp_dir, folder, config.model_file)

    def measure(self, *args, **kwargs) -> dict:
        """Compute the losses of the validation set with the weights that are exported.

        Returns:
            Name -> mean over the masked frames, as ``metrics.json`` has it.
        """
        self._reject_stage_args("measure", args, kwargs)
        config = self.training_config
        model = OmegaConf.to_container(config.model, resolve=True)
        trainer = ESPnet3LightningTrainer(
            model=ESPnetLightningModule(get_espnet_model(config.task, model), config),
            exp_dir=config.exp_dir,
            config=config.trainer,
            best_model_criterion=config.best_model_criterion,
        )
        trainer.model.load_state_dict(
            read_state(Path(config.exp_dir) / config.model_file)
        )
        (values,) = trainer.validate()
        values = {name.removeprefix("valid/"): v for name, v in values.items()}
        if trainer.trainer.is_global_zero:
            folder = Path(self.metrics_config.inference_dir)
            folder.mkdir(parents=True, exist_ok=True)
            results = {"UniWav": {"valid": values}}
            write_text(folder / "metrics.json", json.dumps(results, indent=2) + "\n")
        return values


def find_reason(trainer: DictConfig) -> str | None:
    """Why these settings of the trainer would train wrongly; None if they would not."""
    if (precision := trainer.get("precision")) in HALVES:
        return (
            f"trainer.precision: {precision} casts to half precision what must stay "
            "fp32 (features, teacher, codebooks): expected 32-true or bf16-mixed"
        )
    strategy = trainer.get("strategy") or "auto"
    name = strategy if isinstance(strategy, str) else strategy.get("_target_", "")
    if any(part in name.lower() for part in SHARDED):
        return (
            f"trainer.strategy: {name} trains on parts of the weights, which teacher "
            "and codebooks do not see whole: expected auto or ddp"
        )
    return None


def _shape_lines(organizer: DataOrganizer, split: str) -> list[str]:
    """Number and samples of every recording of a split, as ESPnet3 counts them."""
    sets = getattr(organizer, split).datasets
    lengths = [data.num_samples(i) for data in sets for i in range(len(data))]
    return [f"{i} {length}\n" for i, length in enumerate(lengths)]
