"""A tiny pre-training with fixed weights, batches and draws, for two trainers."""

import json
from pathlib import Path

import torch
from factories import DIM, write_data

from espnet_uniwav.core.pretraining import Pretraining
from espnet_uniwav.integrations.fairseq2.config import PretrainingConfig
from espnet_uniwav.integrations.fairseq2.pretraining import create_pretraining

RECORDED = Path(__file__).with_name("losses_of_espnet.json")
STEPS, LR, BETAS, CLIP = 10, 1e-3, (0.9, 0.98), 1.0
SECONDS = 0.7  # a batch holds two recordings
LAYERS = dict(num_layers=2, num_heads=2, ffn_dim=32)
CONFIG = PretrainingConfig(
    features=dict(name="log_mel", sample_rate=16000, num_mels=12),
    encoder=dict(embed_dim=DIM, position="rotary", dropout=0.1, **LAYERS),
    decoder=dict(position="rotary", **LAYERS),
    dinosr=dict(num_codebooks=2, codebook_size=16, ema_decay=0.9),
    span_mask=dict(mask_prob=0.6, mask_length=4),
)


def make_model() -> Pretraining:
    """The initial model: the same for both trainers."""
    torch.manual_seed(0)
    return create_pretraining(CONFIG)


def seed_first_step(model, codebooks, rank: int = 0) -> None:
    """Seed the draws of a training when it begins, but not when it is resumed."""

    def seed(module, inputs) -> None:
        if module.training and codebooks.num_updates == 0:
            torch.manual_seed(rank)

    model.register_forward_pre_hook(seed)


def write_recordings(folder: Path) -> Path:
    """Recordings for ten batches of two in all processes, and their table."""
    return write_data(folder, [6400 + 97 * i for i in range(2 * STEPS)])


def recorded(processes: int) -> list[float]:
    """Losses of ESPnet's trainer, see ``espnet/test_fairseq2_losses.py``."""
    return json.loads(RECORDED.read_text())[str(processes)]
