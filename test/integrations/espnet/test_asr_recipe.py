"""Stock commands around a fine-tuned UniWav: statistics, training, pack, decoding."""

import shutil

import pytest
from espnet_case import LETTERS, SOUND, asr_conf, train, write_task
from factories import TRAINING, make_speech, save_model

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data folder of six utterances, a checkpoint and a configuration."""
    folder = tmp_path_factory.mktemp("asr")
    save_model(folder / "checkpoint")
    conf = asr_conf(frontend_conf=dict(checkpoint=f"{folder}/checkpoint"))
    conf |= {**TRAINING, "best_model_criterion": [["valid", "cer_ctc", "min"]]}
    text = ["A B A"[:end] for end in range(1, 7)]
    return write_task(
        folder, conf, [8000 + 400 * i for i in range(6)], LETTERS, text=text
    )


def asr_train(folder, name, *more):
    return train("asr", folder, name, *more, kinds=(SOUND, "text,text,text"))


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
