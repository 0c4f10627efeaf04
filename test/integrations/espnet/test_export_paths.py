"""Exports of experiments name no folder of the machine, and load without any."""

import shutil

import pytest
import torch
from espnet2.tasks.asr import ASRTask
from espnet2.tasks.ssl import SSLTask
from espnet_case import asr_conf, make_args, parse, save_experiment
from factories import command, save_model

from espnet_uniwav import load
from espnet_uniwav.core.checkpoint import load_checkpoint
from espnet_uniwav.integrations.espnet.recogniser import load_model
from espnet_uniwav.io.folder import read_config

export = command("export")

TOKENS = ["<blank>", "<unk>", "/home", "~", "<sos/eos>"]


def assert_no_folder(out, folder):
    for path in out.iterdir():
        assert str(folder).encode() not in path.read_bytes(), path


def test_pretraining(tmp_path):
    data = [(f"{tmp_path}/wav.scp", "speech", "sound")]
    args = make_args(tmp_path, train_data_path_and_name_and_type=data)
    save_experiment(SSLTask, args, tmp_path / "exp")
    assert str(tmp_path) in (tmp_path / "exp/config.yaml").read_text()
    export([f"{tmp_path}/exp", f"{tmp_path}/out"])
    assert_no_folder(tmp_path / "out", tmp_path)
    load_checkpoint(tmp_path / "out")


@pytest.fixture
def recogniser(tmp_path):
    """Fine-tuned from a checkpoint that is no longer there."""
    save_model(tmp_path / "start")
    conf = asr_conf(
        frontend_conf=dict(checkpoint=f"{tmp_path}/start"),
        model="uniwav",
        token_list=TOKENS,
    )
    args = parse(ASRTask, tmp_path, conf)
    weights = save_experiment(ASRTask, args, tmp_path / "exp").state_dict()
    shutil.rmtree(tmp_path / "start")
    return weights


def test_recogniser(tmp_path, recogniser):
    export([f"{tmp_path}/exp", f"{tmp_path}/out", "--whole"])
    assert_no_folder(tmp_path / "out", tmp_path)
    assert read_config(tmp_path / "out")["model"]["asr"]["token_list"] == TOKENS
    with pytest.raises(ValueError, match="out is a recogniser: .*load_recogniser"):
        load(tmp_path / "out")
    model, _, _ = load_model(tmp_path / "out")
    found = model.state_dict()
    assert found.keys() == recogniser.keys()
    for name, value in recogniser.items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(found[name], value), name


def test_encoder_of_a_recogniser(tmp_path, recogniser):
    export([f"{tmp_path}/exp", f"{tmp_path}/out"])
    assert_no_folder(tmp_path / "out", tmp_path)
    load_checkpoint(tmp_path / "out")
