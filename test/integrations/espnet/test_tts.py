"""``tts: uniwav`` through stock commands, and our own commands around it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from factories import NUM_MELS, command, make_config, make_speech

pytest.importorskip("espnet2")
from espnet_uniwav import plugin  # noqa: E402

plugin.register()
from tts_case import (  # noqa: E402
    TOKENS,
    build,
    make_batch,
    tts_train,
    write_corpus,
)

from espnet_uniwav import load  # noqa: E402
from espnet_uniwav.apps.tts.synthesizer import Synthesizer  # noqa: E402
from espnet_uniwav.apps.vocoder import Vocoder  # noqa: E402
from espnet_uniwav.core.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from espnet_uniwav.io.folder import CONFIG, WEIGHTS  # noqa: E402

edit = command("edit")
export = command("export")
tts = command("tts")

QUICK = ["--num_steps", "2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("tts"))


@pytest.fixture(scope="module")
def exp(folder):
    return tts_train(folder, "exp")


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(tts_conf={}), "tts_conf needs checkpoint: FOLDER"),
        (dict(tts_conf={"checkpoint": "/nowhere"}), "/nowhere/config.yaml is missing"),
        (dict(feats_extract="fbank"), "set feats_extract: uniwav, found fbank"),
        (dict(normalize="utterance_mvn"), "set normalize: null"),
        (
            dict(tts_conf={"architecture": make_config(decoder=None)}),
            "has no decoder: synthesis needs",
        ),
    ],
)
def test_configurations_of_no_use(folder, changes, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        build(folder, **changes)


def test_starts_from_the_checkpoint(folder):
    tensors = build(folder).tts.synthesizer.uniwav.state_dict()
    expected = load_checkpoint(folder / "checkpoint").state_dict()
    assert all(torch.equal(tensors[key], expected[key]) for key in expected)
    scratch = build(folder, tts_conf={"architecture": make_config()})
    found = scratch.tts.synthesizer.uniwav.state_dict()
    key = "encoder.input_projection.weight"
    assert not torch.equal(found[key], expected[key])


def test_starts_from_a_packaged_model(folder, packaged):
    model = build(folder, tts_conf={"checkpoint": "tiny-test"})
    tensors = model.tts.synthesizer.uniwav.state_dict()
    expected = packaged.state_dict()
    assert all(torch.equal(tensors[key], expected[key]) for key in expected)


def test_durations_must_fit(folder):
    model = build(folder).train()
    assert model(**make_batch())[0].isfinite()
    short = torch.tensor([[20, 20], [15, 15]])
    with pytest.raises(ValueError, match=r"sum to \[40, 30\]; expected \[50, 30\]"):
        model(**make_batch(durations=short))
    with pytest.raises(ValueError, match="learns from durations"):
        model(**make_batch(durations=None))


def test_bfloat16_is_near(folder):
    losses = []
    for bf16 in (False, True):
        conf = {"checkpoint": f"{folder}/checkpoint", "bf16": bf16}
        torch.manual_seed(3)
        losses.append(build(folder, tts_conf=conf).eval()(**make_batch())[0])
    assert 0 < abs(losses[0] - losses[1]) < 0.05 * losses[0]


def text2speech(exp, **more):
    from espnet2.bin.tts_inference import Text2Speech

    return Text2Speech(exp / "config.yaml", exp / "1epoch.pth", **more)


@pytest.mark.integration
def test_stock_inference(exp):
    speech = make_speech([16000])[0][0]
    speak = text2speech(exp)
    assert speak.fs == 16000 and speak.use_speech
    found = speak("SIL B AA", speech)
    again = speak("SIL B AA", speech)
    assert torch.equal(found["wav"], again["wav"])
    assert len(found["wav"]) == 320 * found["duration"].sum()
    assert found["feat_gen"].shape == (found["duration"].sum(), NUM_MELS)
    told = speak("B AA <sos/eos> SIL B AA", speech, decode_conf=dict(seed=1, speed=0.5))
    assert len(told["wav"]) > len(found["wav"])
    with pytest.raises(ValueError, match=r"unknown settings \['sped'\]"):
        speak("B", speech, decode_conf=dict(sped=1))
    with pytest.raises(ValueError, match="lines 2 of the token list"):
        speak("B XX", speech)
    with pytest.raises(ValueError, match="found it 2 times"):
        speak("B <sos/eos> B <sos/eos> B", speech)


@pytest.mark.integration
def test_stock_inference_with_given_durations(exp):
    speech = make_speech([16000])[0][0]
    speak = text2speech(exp, use_teacher_forcing=True)
    durations = torch.tensor([30, 20, 0, 5, 7])
    found = speak("B AA <sos/eos> B AA", speech, durations=durations)
    assert found["duration"].tolist() == [5, 7]
    with pytest.raises(ValueError, match="expected 2 durations, one per token"):
        speak("B AA", speech, durations=durations)


@pytest.mark.integration
def test_stock_command_and_vocoder(exp, folder, tmp_path):
    from espnet2.bin.tts_inference import main

    main(
        ["--output_dir", f"{tmp_path}/out", "--ngpu", "0", "--log_level", "WARNING"]
        + ["--data_path_and_name_and_type", f"{folder}/phones,text,text"]
        + ["--data_path_and_name_and_type", f"{folder}/wav.scp,speech,sound"]
        + ["--train_config", f"{exp}/config.yaml", "--model_file", f"{exp}/1epoch.pth"]
    )
    assert len(list((tmp_path / "out/wav").glob("utt*.wav"))) == 6
    with pytest.raises(FileNotFoundError, match="vocoder_config"):
        text2speech(exp, vocoder_file=tmp_path / "voc.pkl")
    right = dict(sampling_rate=16000, hop_size=320, fft_size=1024, num_mels=NUM_MELS)
    right.update(fmin=0, fmax=8000)
    (tmp_path / "config.yml").write_text(yaml.safe_dump({**right, "hop_size": 256}))
    with pytest.raises(ValueError, match="hop_size: expected 320, found 256"):
        text2speech(exp, vocoder_file=tmp_path / "voc.pkl")


@pytest.mark.integration
def test_packed_model_needs_no_checkpoint(folder, exp, tmp_path, monkeypatch):
    from espnet2.bin.pack import main as pack
    from espnet2.bin.tts_inference import Text2Speech
    from espnet_model_zoo.downloader import ModelDownloader

    speech = make_speech([16000])[0][0]
    expected = text2speech(exp)("B AA", speech)["wav"]
    shutil.copytree(exp, tmp_path / "exp")
    monkeypatch.chdir(tmp_path)
    pack(
        ["tts", "--train_config", "exp/config.yaml", "--outpath", "model.zip"]
        + ["--model_file", "exp/1epoch.pth"]
    )
    shutil.rmtree("exp")
    shutil.move(folder / "checkpoint", folder / "away")
    try:
        cache = ModelDownloader(tmp_path / "cache")
        files = cache.download_and_unpack(str(tmp_path / "model.zip"))
        found = Text2Speech(**files)("B AA", speech)["wav"]
    finally:
        shutil.move(folder / "away", folder / "checkpoint")
    assert torch.equal(found, expected)


@pytest.mark.integration
def test_our_command(exp, folder, tmp_path, capsys):
    model = ["--model", f"{exp}/1epoch.pth", *QUICK]
    wav = tmp_path / "a.wav"
    tts([*model, "--text", "bah.", "--prompt", f"{folder}/0.wav", "--output", str(wav)])
    written, rate = soundfile.read(wav)
    synthesizer = Synthesizer.from_pretrained(exp / "1epoch.pth")
    assert rate == synthesizer.sample_rate
    speech = synthesizer("bah.", prompt=folder / "0.wav", num_steps=2)
    np.testing.assert_allclose(speech.clip(-1, 1), written, atol=1e-4)
    lines = [
        "name\ttext\tprompt\tphones\tdurations",
        f"good\tbah.\t{folder}/1.wav\t\t",
        f"told\t\t{folder}/1.wav\tB AA\t5 7",
        f"strange\tzoo\t{folder}/1.wav\t\t",
        "gone\tbah\t/nowhere.wav\t\t",
    ]
    (tmp_path / "lines.tsv").write_text("\n".join(lines) + "\n")
    out = tmp_path / "out"
    lines = ["--lines", f"{tmp_path}/lines.tsv", "--output", str(out)]
    said = f"2 of 4 lines read; 2 failed, see {out}/failed.tsv"
    with pytest.raises(SystemExit, match=said):
        tts([*model, *lines])
    tts([*model, *lines, "--allow_failed"])
    assert said in capsys.readouterr().out
    assert soundfile.info(out / "told.wav").frames == 12 * 320
    failed = (out / "failed.tsv").read_text()
    assert "strange\t" in failed and "are not among the tokens" in failed
    assert "/nowhere.wav: no such audio file" in failed
    with pytest.raises(SystemExit, match="no such file; name a model file"):
        tts(["--model", "/nowhere.pth", "--text", "a", "--output", str(wav)])


@pytest.mark.parametrize(
    "table, message",
    [
        ("", "found none"),
        ("name\ttext\n", "found none"),
        ("name\ttext\n\tba\n", "line 2: expected name"),
        ("name\ttext\na\tba\na\tba\n", "line 3: expected a new name"),
        ("name\ttxt\na\tba\n", r"unknown columns \['txt'\]"),
    ],
)
def test_bad_lines(tmp_path, table, message):
    (tmp_path / "lines.tsv").write_text(table)
    options = ["--model", "m.pth", "--lines", f"{tmp_path}/lines.tsv"]
    with pytest.raises(SystemExit, match=message):
        tts([*options, "--output", str(tmp_path)])


@pytest.mark.integration
def test_edit_command(exp, tmp_path, monkeypatch):
    from espnet_uniwav.apps.phones import pocketsphinx_aligner
    from espnet_uniwav.apps.phones.alignment import Alignment
    from espnet_uniwav.apps.phones.ctm import Segment

    phones = [Segment(0.0, 0.4, "SIL"), Segment(0.4, 0.6, "B"), Segment(0.6, 1.0, "AA")]
    words = [Segment(0.4, 0.6, "bee"), Segment(0.6, 1.0, "ah")]
    aligned = Alignment(phones, words)
    aligner = "PocketSphinxAligner"
    monkeypatch.setattr(pocketsphinx_aligner, aligner, lambda **_: lambda _: aligned)
    speech = make_speech([16000])[0][0].numpy()
    soundfile.write(tmp_path / "in.wav", speech, 16000, subtype="PCM_16")
    options = [f"{tmp_path}/in.wav", f"{tmp_path}/out.wav", "--text", "bee ah"]
    options += ["--model", f"{exp}/1epoch.pth", "--by", "bah", *QUICK]
    edit([*options, "--replace", "bee"])
    before, _ = soundfile.read(tmp_path / "in.wav")
    after, _ = soundfile.read(tmp_path / "out.wav")
    assert np.array_equal(after[:6000], before[:6000])
    assert np.array_equal(after[-6000:], before[-6000:])
    assert not np.array_equal(after[6400:9600], before[6400:9600])
    with pytest.raises(SystemExit, match="in.wav: expected 'cow' once"):
        edit([*options, "--replace", "cow"])


@pytest.mark.integration
def test_reader_wants_our_model(exp, tmp_path):
    shutil.copy(exp / "1epoch.pth", tmp_path / "model.pth")
    state = torch.load(tmp_path / "model.pth", weights_only=True)
    state.pop("tts.synthesizer.text_encoder.embedding.weight")
    torch.save(state, tmp_path / "model.pth")
    with pytest.raises(ValueError, match="missing: text_encoder.embedding.weight"):
        Synthesizer.from_pretrained(tmp_path / "model.pth", exp / "config.yaml")


@pytest.mark.integration
def test_an_exported_model_speaks_alike(exp, folder, tmp_path):
    out = tmp_path / "exported"
    export([str(exp), str(out), "--model_file", "1epoch.pth"])
    assert sorted(path.name for path in out.iterdir()) == [CONFIG, WEIGHTS]
    speakers = [load(path) for path in (out, exp / "1epoch.pth")]
    found, expected = (own("bah.", num_steps=2) for own in speakers)
    assert np.array_equal(found, expected)
    assert Synthesizer.from_pretrained(str(out)).index == {
        token: i for i, token in enumerate(TOKENS)
    }
    with pytest.raises(ValueError, match="found one of the kind synthesiser"):
        load_checkpoint(out)
    with pytest.raises(ValueError, match="kind synthesiser .*kind uniwav"):
        Synthesizer.from_pretrained(folder / "checkpoint")
    export([str(exp), str(out), "--model_file", "1epoch.pth", "--half"])
    assert (out / WEIGHTS).stat().st_size < 0.7 * (exp / "1epoch.pth").stat().st_size
    halved = Synthesizer.from_pretrained(out).network.state_dict()
    expected = speakers[0].network.state_dict()
    torch.testing.assert_close(halved, expected, rtol=1e-3, atol=1e-6)
    assert any(not torch.equal(halved[key], expected[key]) for key in expected)


@pytest.mark.integration
def test_an_exported_model_keeps_its_vocoder(exp, folder, tmp_path):
    pytest.importorskip("vocos")
    features = load_checkpoint(folder / "checkpoint").features
    size = dict(dim=8, ffn_dim=8, num_layers=1)
    config = {"features": make_config()["features"], "vocoder": size}
    save_checkpoint(Vocoder(features, **size), config, tmp_path / "made/voc")
    shutil.copytree(exp, tmp_path / "exp")
    args = yaml.safe_load((tmp_path / "exp/config.yaml").read_text())
    args["tts_conf"]["vocoder"] = str(tmp_path / "made/voc")
    (tmp_path / "exp/config.yaml").write_text(yaml.safe_dump(args))
    export([str(tmp_path / "exp"), str(tmp_path / "out"), "--model_file", "1epoch.pth"])
    expected = Synthesizer.from_pretrained(
        exp / "1epoch.pth", vocoder=tmp_path / "made/voc"
    )("bah.", num_steps=2)
    shutil.rmtree(tmp_path / "made")
    shutil.move(tmp_path / "out", tmp_path / "moved")
    assert str(tmp_path) not in (tmp_path / "moved" / CONFIG).read_text()
    found = Synthesizer.from_pretrained(tmp_path / "moved")("bah.", num_steps=2)
    assert np.array_equal(found, expected)
    plain = Synthesizer.from_pretrained(tmp_path / "moved", vocoder="none")
    assert not np.array_equal(plain("bah.", num_steps=2), expected)


@pytest.mark.integration
def test_an_exported_model_keeps_its_voice(exp, tmp_path):
    soundfile.write(tmp_path / "me.wav", make_speech([16000])[0][0].numpy(), 16000)
    shutil.copytree(exp, tmp_path / "exp")
    args = yaml.safe_load((tmp_path / "exp/config.yaml").read_text())
    args["tts_conf"] |= {"voice": str(tmp_path / "me.wav"), "voice_text": "bah"}
    (tmp_path / "exp/config.yaml").write_text(yaml.safe_dump(args))
    export([str(tmp_path / "exp"), str(tmp_path / "out"), "--model_file", "1epoch.pth"])
    shutil.move(tmp_path / "me.wav", tmp_path / "prompt.wav")
    assert str(tmp_path) not in (tmp_path / "out" / CONFIG).read_text()
    own = Synthesizer.from_pretrained(tmp_path / "out")("bah.", num_steps=2)
    other = Synthesizer.from_pretrained(exp / "1epoch.pth")
    prompted = other("bah.", tmp_path / "prompt.wav", "bah", num_steps=2)
    assert np.array_equal(own, prompted)
    assert not np.array_equal(own, other("bah.", num_steps=2))


@pytest.mark.integration
def test_tokens_that_are_not_our_phones(exp, tmp_path):
    """They are ESPnet's, from the experiment and from its export."""
    shutil.copytree(exp, tmp_path / "exp")
    args = yaml.safe_load((tmp_path / "exp/config.yaml").read_text())
    args["token_list"] = ["<blank>", "<unk>", "b", "b_E", "h", "<space>", "<sos/eos>"]
    args |= {"token_type": "char", "cleaner": "tacotron"}
    (tmp_path / "exp/config.yaml").write_text(yaml.safe_dump(args))
    export([f"{tmp_path}/exp", f"{tmp_path}/out", "--model_file", "1epoch.pth"])
    models = [tmp_path / "exp/1epoch.pth", tmp_path / "out"]
    trained, exported = map(Synthesizer.from_pretrained, models)
    assert exported.text_tokens("Dr. BH") != exported.text_tokens("BH") == ["B", "H"]
    exported.index |= {"B": 2, "H": 4}
    trained.index |= {"B": 2, "H": 4}
    assert np.array_equal(trained("bh", num_steps=2), exported("bh", num_steps=2))


MISSING = "vocoder /gone/voc is missing: .*`uniwav models` .* vocoder1 recipe"


def test_training_refuses_a_vocoder_that_is_missing(folder):
    with pytest.raises(FileNotFoundError, match=MISSING):
        tts_train(folder, "no_vocoder", "--tts_conf", "vocoder=/gone/voc")
    assert not (folder / "no_vocoder/checkpoint.pth").exists()


@pytest.mark.integration
@pytest.mark.parametrize(
    "vocoder, message",
    [
        ("/gone/voc", MISSING),
        ("gone", "vocoder gone is missing"),
        ("small", "small: expected .* vocoder .*found one of the kind uniwav"),
        ("vocoder", "models/vocoder: the features do not match: dim: expected 12"),
        ("none", None),
    ],
)
def test_export_finds_the_vocoder(exp, tmp_path, vocoder, message):
    shutil.copytree(exp, tmp_path / "exp")
    args = yaml.safe_load((tmp_path / "exp/config.yaml").read_text())
    args["tts_conf"]["vocoder"] = vocoder
    (tmp_path / "exp/config.yaml").write_text(yaml.safe_dump(args))
    command = [f"{tmp_path}/exp", f"{tmp_path}/out", "--model_file", "1epoch.pth"]
    if message:
        with pytest.raises(SystemExit, match=message):
            export(command)
        assert not (tmp_path / "out").exists()
        # another vocoder may be named instead
        assert Synthesizer.from_pretrained(tmp_path / "exp/1epoch.pth", vocoder="none")
    else:
        export(command)


@pytest.mark.integration
@pytest.mark.parametrize("command", [tts, export])
def test_a_pickle_does_not_run(exp, tmp_path, command):
    sung = tmp_path / "sung"

    class Canary:
        def __reduce__(self):
            return Path.touch, (sung,)

    shutil.copy(exp / "config.yaml", tmp_path)
    torch.save({"tts.x": torch.ones(1), "y": Canary()}, tmp_path / "model.pth")
    options = ["--model", f"{tmp_path}/model.pth", "--text", "bah."]
    options += ["--output", f"{tmp_path}/a.wav"]
    if command is export:
        options = [str(tmp_path), f"{tmp_path}/out", "--model_file", "model.pth"]
    with pytest.raises(SystemExit, match="model.pth: expected weights alone"):
        command(options)
    assert not sung.exists()


@pytest.mark.integration
def test_the_packaged_voice_speaks_with_no_other_argument(tmp_path, capsys):
    tts(["--text", "Hello, world.", "--output", str(tmp_path / "out.wav"), *QUICK])
    assert "out.wav: " in capsys.readouterr().out
    speech, rate = soundfile.read(tmp_path / "out.wav")
    assert rate == 16000 and 0.5 < len(speech) / rate < 4
    assert np.abs(speech).max() > 0.05
