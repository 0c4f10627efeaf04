"""Draws of masks, times and noise that a resumed training repeats."""

from __future__ import annotations

import lightning
import numpy as np
import torch


class SeedEpochs(lightning.Callback):
    """Seed every epoch by its number and the process.

    Lightning saves no state of the generators. Weights, teacher, codebooks, optimiser
    and schedule are in its checkpoints; batches follow from the number of the epoch.

    Args:
        seed: Of the training.
    """

    def __init__(self, seed: int = 0):
        self.seed = seed

    def on_train_epoch_start(self, trainer, module) -> None:
        """Seed the generators of PyTorch, which are all that a step draws from."""
        key = (self.seed, trainer.current_epoch, trainer.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))
