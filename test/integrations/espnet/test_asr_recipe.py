"""Stock commands around a fine-tuned UniWav: statistics, training, pack, decoding."""

from __future__ import annotations

import shutil

import pytest
import soundfile
import yaml
from factories import make_config, make_model, make_speech

pytest.importorskip("espnet2")
from espnet_uniwav import plugin  # noqa: E402

plugin.register()

from espnet_uniwav.core.checkpoint import save_checkpoint  # noqa: E402

pytestmark = pytest.mark.integration
TOKENS = ["<blank>", "<unk>", "<space>", "A", "B", "<sos/eos>"]
CONF = dict(
    frontend="uniwav",
    specaug=None,
    normalize=None,
    encoder=None,
    model_conf=dict(ctc_weight=1.0),
    token_type="char",
    batch_type="numel",
    batch_bins=16000,
    num_workers=0,
    max_epoch=1,
    optim="adam",
    num_att_plot=0,
    keep_nbest_models=1,
    best_model_criterion=[["valid", "cer_ctc", "min"]],
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data folder of six utterances, a checkpoint and a configuration."""
    folder = tmp_path_factory.mktemp("asr")
    scp, text, shape = "", "", ""
    for i in range(6):
        speech, _ = make_speech([8000 + 400 * i], seed=i)
        soundfile.write(folder / f"{i}.wav", speech[0].numpy(), 16000)
        scp += f"utt{i} {folder / f'{i}.wav'}\n"
        text += f"utt{i} {'A B A'[: i + 1]}\n"
        shape += f"utt{i} {8000 + 400 * i}\n"
    (folder / "wav.scp").write_text(scp)
    (folder / "text").write_text(text)
    (folder / "shape").write_text(shape)
    (folder / "tokens").write_text("".join(f"{token}\n" for token in TOKENS))
    (folder / "conf.yaml").write_text(yaml.safe_dump(CONF))
    save_checkpoint(make_model(), make_config(), folder / "checkpoint")
    return folder


def asr_train(folder, name, *more):
    from espnet2.bin.asr_train import main

    data = [
        value
        for split in ("train", "valid")
        for value in (
            f"--{split}_data_path_and_name_and_type",
            f"{folder}/wav.scp,speech,sound",
            f"--{split}_data_path_and_name_and_type",
            f"{folder}/text,text,text",
            f"--{split}_shape_file",
            f"{folder}/shape",
        )
    ]
    main(
        [
            "--config",
            f"{folder}/conf.yaml",
            "--frontend_conf",
            f"checkpoint={folder}/checkpoint",
            "--token_list",
            f"{folder}/tokens",
            "--output_dir",
            f"{folder}/{name}",
            *data,
            *more,
        ]
    )
    return folder / name


def test_collect_stats_runs_no_encoder(folder, monkeypatch):
    from espnet_uniwav.core.ssl.encoder import Encoder

    def fail(*args):
        raise AssertionError("the encoder was run")

    monkeypatch.setattr(Encoder, "forward", fail)
    stats = asr_train(folder, "stats", "--collect_stats", "true")
    shapes = (stats / "train" / "speech_shape").read_text().splitlines()
    assert shapes[0] == "utt0 8000" and len(shapes) == 6


def test_packed_model_needs_no_checkpoint(folder, tmp_path, monkeypatch):
    from espnet2.bin.asr_inference import Speech2Text
    from espnet2.bin.pack import main as pack
    from espnet_model_zoo.downloader import ModelDownloader

    exp = asr_train(folder, "exp")
    speech = make_speech([9000])[0][0].numpy()
    here = Speech2Text(exp / "config.yaml", exp / "1epoch.pth", ctc_weight=1.0)
    expected = here.asr_model.encode(*make_speech([9000]))[0]
    # Inside the recipe, as recipes do: absolute paths would be unpacked as such.
    monkeypatch.chdir(folder)
    pack(
        ["asr", "--asr_train_config", "exp/config.yaml"]
        + ["--asr_model_file", "exp/1epoch.pth", "--outpath", "model.zip"]
    )
    moved = tmp_path / "model.zip"
    shutil.move("model.zip", moved)
    shutil.rmtree(exp)
    shutil.rmtree(folder / "checkpoint")
    files = ModelDownloader(tmp_path / "cache").download_and_unpack(str(moved))
    there = Speech2Text(**files, ctc_weight=1.0, beam_size=2)
    found = there.asr_model.encode(*make_speech([9000]))[0]
    assert (found == expected).all()
    text = there(speech)[0][0]
    assert isinstance(text, str)
