"""``features: neural_codec`` in the stock SSL task, and what is made of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import soundfile
import torch
import yaml
from factories import DIM, make_speech, make_ssl_conf

pytest.importorskip("espnet2")
from espnet_uniwav import plugin  # noqa: E402

plugin.register()
from espnet_uniwav.core.checkpoint import load_checkpoint, save_features  # noqa: E402
from espnet_uniwav.core.features import NeuralCodec  # noqa: E402
from espnet_uniwav.integrations.espnet.experiment import export_experiment  # noqa: E402
from espnet_uniwav.integrations.espnet.frontend import UniWavEncoderFrontend  # noqa: E402
from espnet_uniwav.io.folder import read_config  # noqa: E402

CONF = make_ssl_conf()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six recordings, a codec, and an experiment trained on its latents."""
    from espnet2.bin.ssl_train import main

    folder = tmp_path_factory.mktemp("codec_task")
    scp = shape = ""
    for i in range(6):
        speech, _ = make_speech([9600 + 320 * i], seed=i)
        soundfile.write(folder / f"{i}.wav", speech[0].numpy(), 16000)
        scp += f"utt{i} {folder / f'{i}.wav'}\n"
        shape += f"utt{i} {9600 + 320 * i}\n"
    (folder / "wav.scp").write_text(scp)
    (folder / "shape").write_text(shape)
    (folder / "tokens").write_text("<blank>\n<unk>\n<sos/eos>\n")
    torch.manual_seed(0)
    architecture = dict(
        sampling_rate=16000, hidden_dim=8, encdec_n_filters=4, encdec_lstm=1
    )
    features = NeuralCodec(codec="espnet", architecture=architecture, checksum="ours")
    features.has_weights = True
    save_features(features, folder / "codec", {})
    conf = {
        **CONF,
        "frontend_conf": dict(
            fs="16k",
            features="neural_codec",
            features_conf=dict(checkpoint=str(folder / "codec")),
        ),
    }
    (folder / "conf.yaml").write_text(yaml.safe_dump(conf))
    options = ["--config", f"{folder}/conf.yaml", "--token_list", f"{folder}/tokens"]
    for split in ("train", "valid"):
        options += [f"--{split}_shape_file", f"{folder}/shape"]
        kind = f"{folder}/wav.scp,speech,sound"
        options += [f"--{split}_data_path_and_name_and_type", kind]
    main([*options, "--output_dir", f"{folder}/exp"])
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
