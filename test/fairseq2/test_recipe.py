"""The recipe: ESPnet's losses, resumed and in two processes; what it saves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("fairseq2.models")

import pretraining_case as case  # noqa: E402

from espnet_uniwav.checkpoint import save_checkpoint  # noqa: E402
from espnet_uniwav.fairseq2.checkpoint import (  # noqa: E402
    convert_state_dict,
    create_uniwav,
)
from espnet_uniwav.fairseq2.config import UniWavConfig  # noqa: E402

TEST = Path(__file__).parents[1]
SCRIPT = Path(__file__).with_name("repeatable_recipe.py")
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipe")
    case.write_recordings(folder)
    return folder


def train(folder, name, steps, parallelism="ddp", launcher=()):
    """Losses of every step so far."""
    paths = os.pathsep.join(map(str, [TEST.parent, TEST, SCRIPT.parent]))
    command = [sys.executable, *launcher, str(SCRIPT), str(folder / name)]
    ended = subprocess.run(
        [*command, str(folder / "wav.scp"), str(steps), parallelism],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    lines = (folder / name / "metrics/train.jsonl").read_text().splitlines()
    return [json.loads(line)["Loss"] for line in lines]


def state(folder, name, step):
    path = f"{name}/checkpoints/step_{step}/model/pp_00/tp_00/sdp_00.pt"
    return torch.load(folder / path, weights_only=True)


@pytest.fixture(scope="module")
def whole(folder):
    return train(folder, "whole", case.STEPS)


def test_ten_losses_are_those_of_espnet(whole):
    assert whole == pytest.approx(case.recorded(), rel=1e-5)


def test_resumed_equals_never_stopped(folder, whole):
    """Without its last checkpoint, a run goes on from the one before."""
    shutil.copytree(folder / "whole", folder / "resumed")
    shutil.rmtree(folder / f"resumed/checkpoints/step_{case.STEPS}")
    again = train(folder, "resumed", case.STEPS)
    assert again == whole + whole[5:]
    expected = state(folder, "whole", case.STEPS)
    for name, value in state(folder, "resumed", case.STEPS).items():
        assert torch.equal(value, expected[name]), name


def test_the_trained_model_is_a_checkpoint(folder, whole, tmp_path):
    config = {name: getattr(case.CONFIG, name) for name in vars(UniWavConfig())}
    config = UniWavConfig(**config)
    weights = state(folder, "whole", case.STEPS)
    model = create_uniwav(config)
    model.load_state_dict(convert_state_dict(weights, config))
    save_checkpoint(model, vars(config), tmp_path / "checkpoint")
    from espnet_uniwav import load_checkpoint

    found = load_checkpoint(tmp_path / "checkpoint").encoder.mask_embedding
    assert torch.equal(found, weights["encoder.mask_embedding"])


def test_two_processes_with_fsdp_equal_ddp(folder):
    ddp = train(folder, "ddp", 5, "ddp", TORCHRUN)
    fsdp = train(folder, "fsdp", 5, "fsdp", TORCHRUN)
    assert fsdp == pytest.approx(ddp, rel=1e-5)
    found, expected = (state(folder, name, 5) for name in ("fsdp", "ddp"))
    names = [name for name in expected if name.startswith("dinosr.teacher.network.")]
    assert names
    for name in names:
        assert torch.allclose(found[name], expected[name], atol=1e-6), name


def test_the_command_trains_and_validates(folder):
    """With its defaults but for the data, the size and the steps."""
    keys = {
        "dataset.config_overrides.wav_scp.train": folder / "wav.scp",
        "dataset.config_overrides.wav_scp.valid": folder / "wav.scp",
        "dataset.max_seconds": 2,
        "model.config_overrides.encoder.num_layers": 4,
        "regime.num_steps": 2,
        "regime.validate_every_n_steps": 1,
        "regime.publish_metrics_every_n_steps": 1,
        "common.no_sweep_dir": "true",
    }
    ended = subprocess.run(
        [sys.executable, "-m", "espnet_uniwav.fairseq2.recipe", str(folder / "command")]
        + ["--no-rich", "--config", *(f"{k}={v}" for k, v in keys.items())],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(TEST.parent)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    lines = (folder / "command/metrics/valid.jsonl").read_text().splitlines()
    assert len(lines) == 2 and all(json.loads(line)["Loss"] > 0 for line in lines)
