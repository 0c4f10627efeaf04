"""Exported folders in ESPnet's inference classes, by the model zoo's own code."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
import yaml
from factories import command, make_config, make_model, make_speech

pytest.importorskip("espnet2")
from espnet_uniwav import plugin  # noqa: E402

plugin.register()
from espnet_uniwav import load  # noqa: E402
from espnet_uniwav.core.checkpoint import save_checkpoint  # noqa: E402
from espnet_uniwav.io import hub  # noqa: E402
from espnet_uniwav.io.folder import packaged_models  # noqa: E402

export = command("export")
CARD = ["--data", "two hours", "--licence", "cc-by-4.0"]
TOKENS = ["<blank>", "<unk>", "AA", "B", "<sos/eos>"]


def build(task, conf, folder):
    """An untrained experiment as ESPnet saves it, from a checkpoint soon gone."""
    save_checkpoint(make_model(), make_config(), folder / "start")
    part = next(key for key in ("tts_conf", "frontend_conf") if key in conf)
    conf[part] = {**conf[part], "checkpoint": f"{folder}/start"}
    conf = {**conf, "token_list": TOKENS, "output_dir": "exp", "normalize": None}
    (folder / "conf.yaml").write_text(yaml.safe_dump(conf))
    args = task.get_parser().parse_args(["--config", f"{folder}/conf.yaml"])
    model = task.build_model(args)
    if "tts" in conf:
        model.tts.synthesizer.known_tokens.fill_(True)
    (folder / "exp").mkdir()
    (folder / "exp/config.yaml").write_text(yaml.safe_dump(vars(args)))
    torch.save(model.state_dict(), folder / "exp/latest.pth")
    shutil.rmtree(folder / "start")


@pytest.fixture
def unpack(tmp_path, monkeypatch):
    """Packs a folder, deletes it, and returns what the zoo finds in a fresh place."""

    def run(folder, task=None, prefix=""):
        from espnet2.bin.pack import main
        from espnet_model_zoo.downloader import ModelDownloader

        packed = f"{tmp_path}/packed.zip"
        if task is None:
            shutil.make_archive(packed.removesuffix(".zip"), "zip", folder)
        else:
            monkeypatch.chdir(folder)
            command = [task, f"--{prefix}train_config", "config.yaml"]
            command += [f"--{prefix}model_file", "model.safetensors"]
            main([*command, "--outpath", packed])
            monkeypatch.chdir(tmp_path)
        shutil.rmtree(folder)
        zoo = ModelDownloader(tmp_path / "zoo")
        return zoo.unpack_local_file(packed)

    return run


def head_of(folder):
    return yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])


@pytest.mark.parametrize("packer", [None, "tts"])
def test_voice(tmp_path, unpack, packer):
    from espnet2.bin.tts_inference import Text2Speech
    from espnet2.tasks.tts import TTSTask

    conf = dict(num_steps=2, vocoder="none")
    conf = dict(tts="uniwav", tts_conf=conf, feats_extract="uniwav")
    build(TTSTask, {**conf, "token_type": "phn"}, tmp_path)
    export([f"{tmp_path}/exp", f"{tmp_path}/out", *CARD])
    assert head_of(tmp_path / "out")["pipeline_tag"] == "text-to-speech"
    speech = make_speech([16000])[0][0]
    files = tmp_path / "exp/config.yaml", tmp_path / "exp/latest.pth"
    expected = Text2Speech(*files)("B AA", speech)["wav"]
    shutil.rmtree(tmp_path / "exp")
    found = Text2Speech(**unpack(tmp_path / "out", packer))("B AA", speech)["wav"]
    assert torch.equal(found, expected)


@pytest.mark.parametrize("packer", [None, "asr"])
def test_recogniser(tmp_path, unpack, packer):
    from espnet2.bin.asr_inference import Speech2Text
    from espnet2.tasks.asr import ASRTask

    conf = dict(frontend="uniwav", frontend_conf={}, specaug=None, encoder=None)
    conf |= dict(model="uniwav", model_conf=dict(ctc_weight=1.0), token_type="word")
    build(ASRTask, conf, tmp_path)
    export([f"{tmp_path}/exp", f"{tmp_path}/out", "--whole", *CARD])
    head = head_of(tmp_path / "out")
    assert head["pipeline_tag"] == "automatic-speech-recognition"
    options = dict(ctc_weight=1.0, beam_size=2)
    files = tmp_path / "exp/config.yaml", tmp_path / "exp/latest.pth"
    expected = Speech2Text(*files, **options)
    speech = make_speech([9000])
    wanted = expected.asr_model.encode(*speech)[0]
    shutil.rmtree(tmp_path / "exp")
    found = Speech2Text(**unpack(tmp_path / "out", packer, "asr_"), **options)
    assert torch.equal(found.asr_model.encode(*speech)[0], wanted)
    wav = speech[0][0].numpy()
    assert found(wav)[0][:3] == expected(wav)[0][:3]


@pytest.mark.parametrize("packer", [None, "ssl"])
def test_encoder(tmp_path, unpack, packer):
    from espnet2.tasks.asr import ASRTask

    conf = dict(frontend="uniwav", frontend_conf={}, specaug=None, encoder=None)
    build(ASRTask, {**conf, "model_conf": dict(ctc_weight=1.0)}, tmp_path)
    export([f"{tmp_path}/exp", f"{tmp_path}/out", *CARD])
    assert head_of(tmp_path / "out")["pipeline_tag"] == "feature-extraction"
    expected = load(tmp_path / "out").state_dict()
    files = unpack(tmp_path / "out", packer, "ssl_")
    folder = Path(files["ssl_model_file"]).parent
    assert folder == Path(files["ssl_train_config"]).parent
    found = load(folder).state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in found)
    with pytest.raises(ValueError, match="ASRTask cannot build a uniwav: .*load_check"):
        ASRTask.build_model_from_file(*files.values())


def test_push(tmp_path, monkeypatch):
    from espnet2.tasks.asr import ASRTask

    pushed = []
    monkeypatch.setattr(hub, "push", lambda *args: pushed.append(args) or "https://url")
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    conf = dict(frontend="uniwav", frontend_conf={}, specaug=None, encoder=None)
    build(ASRTask, {**conf, "model_conf": dict(ctc_weight=1.0)}, tmp_path)
    args = [f"{tmp_path}/exp", f"{tmp_path}/out", "--push", "owner/model"]
    for more, words in (([], "needs a model card"), (CARD, "hf auth login.*HF_TOKEN")):
        with pytest.raises(SystemExit, match=words):
            export([*args, *more])
    assert not (tmp_path / "out").exists() and not pushed
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_right")
    export([*args, *CARD])
    ((folder, name, patterns),) = pushed
    assert (folder, name) == (f"{tmp_path}/out", "owner/model")
    assert {path.name for path in (tmp_path / "out").iterdir()} < set(patterns)
    assert 'from_pretrained("owner/model")' in (tmp_path / "out/README.md").read_text()


def test_onnx_takes_no_other_option(tmp_path):
    args = ["voices", "--onnx", f"{tmp_path}/out", *CARD, "--push", "owner/model"]
    with pytest.raises(SystemExit, match="found --half, --data, --licence, --push$"):
        export([*args, "--half"])
    assert not list(tmp_path.iterdir())


def test_codec():
    from espnet2.bin.gan_codec_inference import AudioCoding

    folder = packaged_models()["tokens"]
    found = AudioCoding(folder / "config.yaml", folder / "model.safetensors")
    speech, _ = make_speech([9000])
    codes = found(speech, encode_only=True)["codes"]
    assert torch.equal(codes[:, 0], load("tokens").encode(speech)[0])


def test_espnet_load(tmp_path, monkeypatch):
    """Of the hub, whose answers are those of the folder and its card."""
    espnet = pytest.importorskip("espnet")
    if not hasattr(espnet, "load"):
        pytest.skip("espnet.load is of ESPnet 202611")
    import espnet_model_zoo.downloader as zoo
    import huggingface_hub
    from espnet2.tasks.tts import TTSTask

    conf = dict(num_steps=2, vocoder="none")
    conf = dict(tts="uniwav", tts_conf=conf, feats_extract="uniwav")
    build(TTSTask, {**conf, "token_type": "phn"}, tmp_path)
    export([f"{tmp_path}/exp", f"{tmp_path}/out", *CARD])
    head = head_of(tmp_path / "out")
    info = huggingface_hub.ModelInfo(
        id="owner/voice", pipeline_tag=head["pipeline_tag"], tags=head["tags"]
    )
    monkeypatch.setattr(huggingface_hub, "model_info", lambda name: info)
    monkeypatch.setattr(
        zoo, "snapshot_download", lambda *_, **options: str(tmp_path / "out")
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    voice = espnet.load("owner/voice", device="cpu")
    speech = make_speech([16000])[0][0]
    assert voice("B AA", speech)["wav"].isfinite().all()
