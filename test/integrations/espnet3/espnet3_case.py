"""A tiny pre-training by UniWavSystem, and the same by ESPnet2's task."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
import torch
import yaml
from factories import DIM, make_speech

pytest.importorskip("espnet3", reason="no espnet3: it needs Python 3.12 or newer")
pytest.importorskip("lightning", reason="no lightning: it is in the extra espnet3")

from espnet3.systems.launch import launch  # noqa: E402

from espnet_uniwav.integrations.espnet.ssl import UniWavSSLModel  # noqa: E402
from espnet_uniwav.integrations.espnet3.system import UniWavSystem  # noqa: E402

CONF = "espnet_uniwav.integrations.espnet3"
LOGGER = "lightning.pytorch.loggers.CSVLogger"
STEPS = 5  # batches of an epoch
BINS = 12000  # a batch ends with the recording that exceeds it: the second
LAYERS = dict(num_layers=2, num_heads=2, ffn_dim=32, position="rotary")
MODEL = dict(
    frontend_conf=dict(fs=16000, features_conf=dict(num_mels=12)),
    encoder_conf=dict(embed_dim=DIM, dropout=0.1, **LAYERS),
    loss=[
        dict(
            name="dinosr",
            conf=dict(num_codebooks=2, codebook_size=16, codebook_init="data"),
        ),
        dict(name="flow_matching", conf=dict(decoder=LAYERS)),
    ],
    util=[dict(name="span_mask", conf=dict(mask_prob=0.6, mask_length=4))],
)
SCHEDULE = dict(
    max_steps=10,
    warmup_ratio=0.2,
    hold_ratio=0.3,
    decay_ratio=0.5,
    init_lr_scale=0.1,
    final_lr_scale=0.1,
)


def write_recordings(folder: Path) -> None:
    """Data folders of ten recordings to train on and four to validate with."""
    for split, number in (("train", 2 * STEPS), ("dev", 4)):
        (folder / "data" / split).mkdir(parents=True)
        lines, shapes = [], []
        for i in range(number):
            speech, (length,) = make_speech([6400 + 97 * i], seed=i)
            path = folder / "data" / split / f"{i:02}.wav"
            soundfile.write(path, speech[0].numpy(), 16000)
            lines.append(f"utt{i:02} {path}\n")
            shapes.append(f"utt{i:02} {length}\n")
        (folder / "data" / split / "wav.scp").write_text("".join(lines))
        (folder / "data" / split / "speech_shape").write_text("".join(shapes))


def write_config(
    folder: Path,
    name: str = "tiny",
    steps=None,
    num_device: int = 1,
    frontend_conf: dict = MODEL["frontend_conf"],
    **trainer,
) -> Path:
    """A training configuration of two epochs.

    Args:
        folder: With data folders.
        name: Of the experiment.
        steps: Batches of an epoch in each process; None: all.
        num_device: Processes.
        frontend_conf: Arguments of the front end.
        **trainer: Settings of the trainer.
    """
    batches = dict(batch_bins=BINS)
    loader = dict(iter_factory=dict(num_workers=0, batches=batches))
    train = dict(loader["iter_factory"], num_iters_per_epoch=steps)
    config = dict(
        recipe_dir=str(folder),
        num_device=num_device,
        model=dict(MODEL, frontend_conf=frontend_conf),
        optimizer=dict(lr=1e-3),
        scheduler=SCHEDULE,
        dataloader=dict(train=dict(iter_factory=train), valid=loader),
        trainer=dict(
            accelerator="cpu",
            log_every_n_steps=1,
            logger=[dict(_target_=LOGGER, save_dir=str(folder / name))],
            num_sanity_val_steps=0,
            **{"max_epochs": 2, **trainer},
        ),
    )
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def run(config: Path, *stages: str, **others: Path) -> None:
    """Run stages of the system."""
    argv = ["--stages", *stages, "--training_config", str(config)]
    for role, path in others.items():
        argv += [f"--{role}_config", str(path)]
    launch(UniWavSystem, conf_package=CONF, argv=argv)


class Recorded:
    """Losses and updates of all training steps, and a fixed seed before the first.

    Args:
        monkeypatch: To watch the model with.
    """

    def __init__(self, monkeypatch, seed: bool = True):
        self.losses, self.valid, self.updates, self.model = [], [], [], None
        forward = UniWavSSLModel.forward
        update = UniWavSSLModel.after_optimizer_step

        def recorded_forward(model, *args, **kwargs):
            self.model = model
            if seed and model.training and not self.losses:
                torch.manual_seed(0)
            output = forward(model, *args, **kwargs)
            (self.losses if model.training else self.valid).append(output[0].item())
            return output

        def recorded_update(model):
            self.updates.append(len(self.losses))
            update(model)

        monkeypatch.setattr(UniWavSSLModel, "forward", recorded_forward)
        monkeypatch.setattr(UniWavSSLModel, "after_optimizer_step", recorded_update)
