"""Pre-training by UniWavSystem: losses of ESPnet2, steps, resuming, packing."""

from __future__ import annotations

import json
import shutil

import espnet3_case as case
import numpy as np
import pytest
import torch
import yaml
from espnet2.tasks.ssl import SSLTask
from espnet3.publication.inference_model import InferenceModel

from espnet_uniwav import load_checkpoint
from espnet_uniwav.io.audio import read_speech

# ESPnet2's form of the settings of UniWavSystem
ESPNET2 = dict(
    case.MODEL,
    frontend="uniwav",
    encoder="uniwav",
    model="uniwav",
    normalize=None,
    preencoder=None,
    use_preprocessor=False,
    token_list=["<blank>", "<unk>", "<sos/eos>"],
    collate_fn_conf=dict(pad=True, crop_audio=False),
    batch_type="numel",
    batch_bins=case.BINS,
    num_workers=0,
    num_iters_per_epoch=10,
    max_epoch=1,
    optim="adamw",
    optim_conf=dict(lr=1e-3, fused=True, betas=[0.9, 0.98], weight_decay=0.01),
    scheduler="tristagelr",
    scheduler_conf=case.SCHEDULE,
    grad_clip=1.0,
    num_att_plot=0,
    best_model_criterion=[["valid", "loss", "min"]],
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("espnet3")
    case.write_recordings(folder)
    return folder


def train_by_espnet2(folder) -> None:
    (folder / "espnet2.yaml").write_text(yaml.safe_dump(ESPNET2))
    options = ["--config", str(folder / "espnet2.yaml")]
    options += ["--output_dir", str(folder / "exp/espnet2")]
    for split, name in (("train", "train"), ("valid", "dev")):
        data = folder / "data" / name
        options += [f"--{split}_data_path_and_name_and_type"]
        options += [f"{data}/wav.scp,speech,sound"]
        options += [f"--{split}_shape_file", f"{data}/speech_shape"]
    SSLTask.main(cmd=options)


def test_ten_losses_are_those_of_espnet2(folder):
    with pytest.MonkeyPatch.context() as patch:
        expected = case.Recorded(patch)
        train_by_espnet2(folder)
    with pytest.MonkeyPatch.context() as patch:
        found = case.Recorded(patch)
        config = case.write_config(folder, "losses", steps=10, max_epochs=1)
        case.run(config, "collect_stats", "train")
    assert len(found.losses) == 10
    assert found.losses == pytest.approx(expected.losses, rel=1e-5)
    assert found.valid == pytest.approx(expected.valid, rel=1e-5)
    assert found.updates == expected.updates
    weights = expected.model.state_dict()
    for name, value in found.model.state_dict().items():
        torch.testing.assert_close(value, weights[name], msg=name)


def test_one_update_for_every_optimiser_step(folder, monkeypatch):
    """Of two batches, and of the last one of an epoch."""
    recorded = case.Recorded(monkeypatch)
    config = case.write_config(folder, "accumulated", accumulate_grad_batches=2)
    case.run(config, "collect_stats", "train")
    assert recorded.updates == [2, 4, 5, 7, 9, 10]
