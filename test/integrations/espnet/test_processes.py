"""Two processes by torchrun: equal to one with the joined batch; one of them dies."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from espnet_case import train_options, write_task
from factories import ROOT, SMALLEST, make_ssl_conf

pytestmark = pytest.mark.integration

SCRIPT = Path(__file__).with_name("repeatable_train.py")
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
# Batches of 5, 5 and 3 utterances: no two processes get equally many.
NUMBER, BATCH, EPOCHS = 13, 5, 2
LAYERS = dict(SMALLEST, dropout=0.0)
CONF = make_ssl_conf(
    LAYERS,
    frontend_conf=dict(fs="16k", features_conf=dict(num_mels=12)),
    collate_fn_conf=dict(crop_audio=False),
    **dict(batch_type="unsorted", batch_size=BATCH, max_epoch=EPOCHS),
    **dict(keep_nbest_models=EPOCHS, optim="sgd", optim_conf=dict(lr=0.1)),
    **dict(use_matplotlib=False, dist_backend="gloo"),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Short utterances of many lengths, the configuration, tokens."""
    folder = tmp_path_factory.mktemp("processes")
    return write_task(folder, CONF, [6400 + 333 * i for i in range(NUMBER)])


def get_options(data, name):
    options = ["--multiprocessing_distributed", "false", "--resume", "true"]
    return [*train_options(data, name), "--ngpu", "0", *options]


def train(data, name, launcher=(), **environment):
    """Run to the end; returns the exit status and what was logged."""
    command = [sys.executable, *launcher, str(SCRIPT), *get_options(data, name)]
    return run(data, command, **environment)


def run(data, command, **environment):
    paths = os.pathsep.join([str(ROOT), str(ROOT / "test")])
    ended = subprocess.run(
        command,
        cwd=data,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths, **environment},
    )
    return ended.returncode, ended.stderr


def tensors(data, name):
    state = torch.load(data / name / f"{EPOCHS}epoch.pth", weights_only=True)
    return {k: v.float() for k, v in state.items() if "usage" not in k}


def losses(data, name, phase):
    checkpoint = data / name / "checkpoint.pth"
    stats = torch.load(checkpoint, weights_only=False)["reporter"]["stats"]
    return [stats[epoch][phase]["loss"] for epoch in range(1, EPOCHS + 1)]


@pytest.fixture(scope="module")
def two(data):
    status, log = train(data, "two", TORCHRUN)
    assert status == 0, log[-3000:]
    return data


def test_two_processes_equal_one_with_the_joined_batch(two):
    status, log = train(two, "one")
    assert status == 0, log[-3000:]
    for phase in ("train", "valid"):
        found, expected = (losses(two, name, phase) for name in ("two", "one"))
        assert found == pytest.approx(expected, rel=1e-4), phase
    first, start = losses(two, "one", "train")
    assert first != pytest.approx(start, rel=1e-3)
    expected = tensors(two, "one")
    assert any("teacher" in k for k in expected) and any(
        "codebooks" in k for k in expected
    )
    for name, value in tensors(two, "two").items():
        torch.testing.assert_close(
            value, expected[name], atol=1e-4, rtol=1e-3, msg=name
        )


def test_the_launcher_for_several_machines_equals_torchrun(two, tmp_path):
    """``espnet2.bin.launch``, which enters both machines by an ssh that stays here."""
    (tmp_path / "ssh").write_text('#!/bin/sh\nshift\nexec bash -c "$*"\n')
    (tmp_path / "ssh").chmod(0o755)
    python = [sys.executable, "-m", "espnet_uniwav.run"]
    launch = [*python, "-m", "espnet2.bin.launch", "--host", "here,there"]
    launch += ["--ngpu", "0", "--envfile", "none", "--log", "launched.log", "--"]
    status, log = run(
        two,
        [*launch, *python, str(SCRIPT), *get_options(two, "launched")],
        PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
    )
    assert status == 0, log[-3000:]
    assert ":0/2]" in (two / "launched.log").read_text()  # first of two processes
    for phase in ("train", "valid"):
        found, expected = (losses(two, name, phase) for name in ("launched", "two"))
        assert found == pytest.approx(expected, rel=1e-5), phase


def test_one_dies_and_the_run_goes_on(two):
    status, log = train(two, "killed", TORCHRUN, DIE_AT="4")
    assert status != 0 and "SIGKILL" in log
    assert (two / "killed/1epoch.pth").is_file()
    assert not (two / "killed/2epoch.pth").exists()
    status, log = train(two, "killed", TORCHRUN)
    assert status == 0, log[-3000:]
    assert "The training was resumed using" in log
    for name, value in tensors(two, "two").items():
        torch.testing.assert_close(
            value, tensors(two, "killed")[name], atol=1e-6, rtol=1e-5, msg=name
        )
