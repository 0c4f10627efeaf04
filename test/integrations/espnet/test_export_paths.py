"""Exports of experiments name no folder of the machine, and load without any."""

from __future__ import annotations

import shutil

import pytest
import torch
import yaml
from factories import command, make_config, make_model

pytest.importorskip("espnet2")
from espnet_uniwav import plugin  # noqa: E402

plugin.register()
from espnet2.tasks.asr import ASRTask  # noqa: E402
from espnet2.tasks.ssl import SSLTask  # noqa: E402
from ssl_case import make_args  # noqa: E402

from espnet_uniwav import load  # noqa: E402
from espnet_uniwav.core.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from espnet_uniwav.integrations.espnet.recogniser import load_model  # noqa: E402
from espnet_uniwav.io.folder import read_config  # noqa: E402

export = command("export")

TOKENS = ["<blank>", "<unk>", "/home", "~", "<sos/eos>"]


def save(task, args, folder):
    """An experiment as ESPnet saves it, untrained."""
    model = task.build_model(args)
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(vars(args)))
    torch.save(model.state_dict(), folder / "latest.pth")
    return model.state_dict()


def assert_no_folder(out, folder):
    for path in out.iterdir():
        assert str(folder).encode() not in path.read_bytes(), path


def test_pretraining(tmp_path):
    data = [(f"{tmp_path}/wav.scp", "speech", "sound")]
    args = make_args(tmp_path, train_data_path_and_name_and_type=data)
    save(SSLTask, args, tmp_path / "exp")
    assert str(tmp_path) in (tmp_path / "exp/config.yaml").read_text()
    export([f"{tmp_path}/exp", f"{tmp_path}/out"])
    assert_no_folder(tmp_path / "out", tmp_path)
    load_checkpoint(tmp_path / "out")


@pytest.fixture
def recogniser(tmp_path):
    """Fine-tuned from a checkpoint that is no longer there."""
    save_checkpoint(make_model(), make_config(), tmp_path / "start")
    conf = dict(
        frontend="uniwav",
        frontend_conf=dict(checkpoint=f"{tmp_path}/start"),
        specaug=None,
        normalize=None,
        encoder=None,
        model="uniwav",
        model_conf=dict(ctc_weight=1.0),
        token_list=TOKENS,
        output_dir=f"{tmp_path}/exp",
    )
    (tmp_path / "asr.yaml").write_text(yaml.safe_dump(conf))
    args = ASRTask.get_parser().parse_args(["--config", f"{tmp_path}/asr.yaml"])
    weights = save(ASRTask, args, tmp_path / "exp")
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
