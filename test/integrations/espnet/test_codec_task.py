"""``features: neural_codec`` in the stock SSL task, and what is made of it."""

import shutil
from pathlib import Path

import pytest
import torch
from espnet_case import train, write_task
from factories import DIM, make_speech, make_ssl_conf

from espnet_uniwav.core.checkpoint import load_checkpoint, save_features
from espnet_uniwav.core.features import NeuralCodec
from espnet_uniwav.integrations.espnet.experiment import export_experiment
from espnet_uniwav.integrations.espnet.frontend import UniWavEncoderFrontend
from espnet_uniwav.io.folder import read_config


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six recordings, a codec, and an experiment trained on its latents."""
    folder = tmp_path_factory.mktemp("codec_task")
    torch.manual_seed(0)
    architecture = dict(
        sampling_rate=16000, hidden_dim=8, encdec_n_filters=4, encdec_lstm=1
    )
    features = NeuralCodec(codec="espnet", architecture=architecture, checksum="ours")
    features.has_weights = True
    save_features(features, folder / "codec", {})
    conf = make_ssl_conf(
        frontend_conf=dict(
            fs="16k",
            features="neural_codec",
            features_conf=dict(checkpoint=str(folder / "codec")),
        ),
    )
    write_task(folder, conf, [9600 + 320 * i for i in range(6)])
    train("ssl", folder, "exp")
    export_experiment(folder / "exp", folder / "checkpoint")
    shutil.move(folder / "codec", folder / "gone")
    return folder


@pytest.mark.integration
def test_checkpoint_needs_no_codec_folder(folder):
    loaded = load_checkpoint(folder / "checkpoint")
    speech, lengths = make_speech([9600, 4000])
    codec = NeuralCodec(checkpoint=str(folder / "gone"))
    x, frames = loaded.features.extract(speech, lengths)
    assert torch.equal(x, codec.extract(speech, lengths)[0])
    mask = torch.zeros_like(x[..., 0], dtype=torch.bool)
    mask[:, 5:9] = True
    filled = loaded.infill(x, mask, num_steps=2)
    assert loaded.features.invert(filled, frames)[0].isfinite().all()
    config = read_config(folder / "checkpoint")["model"]["features"]
    assert "checkpoint" not in config and config["checksum"] == "ours"


@pytest.mark.integration
def test_trained_model_needs_no_codec_folder(folder):
    from espnet2.tasks.ssl import SSLTask

    files = folder / "exp/config.yaml", folder / "exp/latest.pth"
    model, _ = SSLTask.build_model_from_file(*files, device="cpu")
    speech, lengths = make_speech([9600, 4000])
    assert model.eval()(speech=speech, speech_lengths=lengths)[0].isfinite()


@pytest.mark.integration
def test_packed_experiment_is_exported_where_it_is_unpacked(
    folder, tmp_path, monkeypatch
):
    from espnet2.bin.pack import main as pack
    from espnet_model_zoo.downloader import ModelDownloader

    shutil.copytree(folder / "exp", tmp_path / "exp")
    monkeypatch.chdir(tmp_path)
    pack(
        ["ssl", "--ssl_train_config", "exp/config.yaml", "--outpath", "model.zip"]
        + ["--ssl_model_file", "exp/1epoch.pth"]
    )
    shutil.rmtree("exp")
    zoo = ModelDownloader(tmp_path / "cache")
    files = zoo.download_and_unpack(str(tmp_path / "model.zip"))
    model_file = Path(files["ssl_model_file"])
    export_experiment(model_file.parent, tmp_path / "checkpoint", model_file.name)
    expected = load_checkpoint(folder / "checkpoint").state_dict()
    for name, value in load_checkpoint(tmp_path / "checkpoint").state_dict().items():
        assert torch.equal(value, expected[name]), name


@pytest.mark.integration
def test_front_end_takes_the_codec_along(folder):
    frontend = UniWavEncoderFrontend(checkpoint=str(folder / "checkpoint"))
    speech, lengths = make_speech([9600, 4000])
    states, frames = frontend.eval()(speech, lengths)
    assert states.shape == (2, 30, DIM) and frames.tolist() == [30, 13]
    x = frontend.features.extract(speech, lengths)[0]
    codec = NeuralCodec(checkpoint=str(folder / "gone"))
    assert torch.equal(x, codec.extract(speech, lengths)[0])
