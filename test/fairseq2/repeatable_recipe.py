"""The recipe on the recordings, weights and draws of ``pretraining_case``.

python repeatable_recipe.py OUT WAV_SCP STEPS [fsdp | ddp]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pretraining_case as case
from fairseq2.recipe.config import AdamWConfig, ModelSection, TriStageLRConfig
from fairseq2.recipe.run import run

from espnet_uniwav.fairseq2.pretraining import PRETRAINING
from espnet_uniwav.fairseq2.recipe import PretrainConfig, PretrainRecipe


class RepeatableRecipe(PretrainRecipe):
    """The recipe from a fixed initial model."""

    def setup_model(self, context, model, newly_initialized):
        """Set the weights once, and the draws of every step."""
        model = super().setup_model(context, model, newly_initialized)
        if newly_initialized:
            model.load_state_dict(case.make_model().state_dict())
        rank = int(os.environ.get("RANK", 0))
        case.seed_every_step(model, model.dinosr.codebooks, rank)
        return model


def config(wav_scp: Path, steps: int, parallelism: str = "ddp") -> PretrainConfig:
    """Ten steps, each logged, a checkpoint after every fifth."""
    conf = PretrainConfig(
        model=ModelSection(family=PRETRAINING, config_overrides=vars(case.CONFIG))
    )
    conf.dataset.config_overrides = {"wav_scp": {"train": str(wav_scp)}}
    conf.dataset.valid_split = None
    conf.dataset.max_seconds, conf.dataset.shuffle = case.SECONDS, False
    conf.trainer.data_parallelism = parallelism
    conf.trainer.max_grad_norm = case.CLIP
    conf.optimizer.config = AdamWConfig(lr=case.LR, betas=case.BETAS, weight_decay=0.01)
    conf.lr_scheduler.config = TriStageLRConfig(stage_ratio=(0.0, 1.0, 0.0))
    regime = conf.regime
    regime.num_steps, regime.publish_metrics_every_n_steps = steps, 1
    regime.validate_every_n_steps, regime.checkpoint_every_n_steps = None, 5
    conf.common.metric_recorders.tensorboard.enabled = False
    regime.keep_last_n_checkpoints = None
    conf.common.no_sweep_dir = True
    return conf


if __name__ == "__main__":
    out, wav_scp, steps, *parallelism = sys.argv[1:]
    run(
        RepeatableRecipe(),
        config(Path(wav_scp), int(steps), *parallelism),
        Path(out),
        no_rich=True,
    )
