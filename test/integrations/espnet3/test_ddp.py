"""Two processes (DDP, gloo): one update per step, equal weights, exact resuming."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import espnet3_case as case
import pytest
import torch
from factories import ROOT

SCRIPT = ROOT / "test/integrations/espnet3/two_processes.py"
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Trainings 0: two epochs; 1: the first epoch; 2: goes on from 1."""
    folder = tmp_path_factory.mktemp("ddp")
    case.write_recordings(folder)
    configs = []
    for number, (name, epochs) in enumerate([("whole", 2), ("part", 1), ("part", 2)]):
        path = case.write_config(
            folder,
            name,
            steps=4,
            num_device=2,
            max_epochs=epochs,
            accumulate_grad_batches=2,
            strategy="ddp",
        )
        case.run(path, "collect_stats")
        configs.append(folder / str(number) / path.name)
        configs[-1].parent.mkdir()
        configs[-1].write_text(path.read_text())
    paths = os.pathsep.join([str(ROOT), str(ROOT / "test"), str(SCRIPT.parent)])
    paths = os.pathsep.join([paths, os.environ.get("PYTHONPATH", "")])
    ended = subprocess.run(
        [sys.executable, *TORCHRUN, str(SCRIPT), *map(str, configs)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=480,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return folder


def steps(folder, number, rank):
    path = folder / str(number) / f"{number}-{rank}" / "steps.json"
    return json.loads(path.read_text())


def weights(folder, number, rank):
    path = folder / str(number) / f"{number}-{rank}" / "model.pth"
    return torch.load(path, weights_only=True)


@pytest.mark.integration
def test_one_update_for_every_optimiser_step(folder):
    """Of two batches in each process, which draw other masks and stay equal."""
    own, other = (steps(folder, 0, rank) for rank in (0, 1))
    assert own["updates"] == other["updates"] == [2, 4, 6, 8]
    assert own["losses"] != other["losses"]
    first, second = (weights(folder, 0, rank) for rank in (0, 1))
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


@pytest.mark.integration
def test_resumed_equals_never_stopped(folder):
    for rank in (0, 1):
        whole, first, second = (steps(folder, n, rank)["losses"] for n in range(3))
        assert first + second == whole
    whole, resumed = (weights(folder, n, 0) for n in (0, 2))
    for name, value in resumed.items():
        assert torch.equal(value, whole[name]), name
