"""``tts: uniwav`` through stock commands, and our own commands around it."""

import shutil

import numpy as np
import pytest
import soundfile
import torch
import yaml
from espnet_case import PHONES, TEXTS, build_tts, make_tts_batch, tts_train, write_tts
from factories import NUM_MELS, Canary, command, make_config, make_speech

from espnet_uniwav import load
from espnet_uniwav.apps.tts.synthesizer import Synthesizer
from espnet_uniwav.apps.vocoder import Vocoder
from espnet_uniwav.core.checkpoint import load_checkpoint, save_checkpoint
from espnet_uniwav.integrations.espnet.exported import META
from espnet_uniwav.io.folder import CONFIG, WEIGHTS

edit = command("edit")
export = command("export")
extract = command("extract")
tts = command("tts")

QUICK = ["--num_steps", "2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tts(tmp_path_factory.mktemp("tts"))


@pytest.fixture(scope="module")
def exp(folder):
    return tts_train(folder, "exp")


def export_model(exp, out, *more):
    export([exp, out, "--model_file", "1epoch.pth", *more])
    return out


def copy_experiment(exp, folder, **changes):
    """A copy of the experiment with other arguments; those of the model are merged."""
    shutil.copytree(exp, folder)
    args = yaml.safe_load((folder / "config.yaml").read_text())
    changes["tts_conf"] = {**args["tts_conf"], **changes.pop("tts_conf", {})}
    (folder / "config.yaml").write_text(yaml.safe_dump({**args, **changes}))
    return folder


def say(model, *prompt, text="bah.", **options):
    """Samples from a model, quickly."""
    return Synthesizer.from_pretrained(model, **options)(text, *prompt, num_steps=2)


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
        build_tts(folder, **changes)


def test_starts_from_the_checkpoint(folder):
    tensors = build_tts(folder).tts.synthesizer.uniwav.state_dict()
    expected = load_checkpoint(folder / "checkpoint").state_dict()
    assert all(torch.equal(tensors[key], expected[key]) for key in expected)
    scratch = build_tts(folder, tts_conf={"architecture": make_config()})
    found = scratch.tts.synthesizer.uniwav.state_dict()
    key = "encoder.input_projection.weight"
    assert not torch.equal(found[key], expected[key])


def test_durations_must_fit(folder):
    model = build_tts(folder).train()
    assert model(**make_tts_batch())[0].isfinite()
    short = torch.tensor([[20, 20], [15, 15]])
    with pytest.raises(ValueError, match=r"sum to \[40, 30\]; expected \[50, 30\]"):
        model(**make_tts_batch(durations=short))
    with pytest.raises(ValueError, match="learns from durations"):
        model(**make_tts_batch(durations=None))


def test_bfloat16_is_near(folder):
    losses = []
    for bf16 in (False, True):
        conf = {"checkpoint": f"{folder}/checkpoint", "bf16": bf16}
        torch.manual_seed(3)
        losses.append(build_tts(folder, tts_conf=conf).eval()(**make_tts_batch())[0])
    assert 0 < abs(losses[0] - losses[1]) < 0.05 * losses[0]


def extract_features(folder, *options):
    """Features of the utterances on disk, as the checkpoint has them."""
    config = folder / "checkpoint/config.yaml"
    extract([folder / "wav.scp", folder / "feats", "--config", config, *options])
    return folder / "feats"


def test_features_from_disk(folder):
    stored = {"extracted": str(extract_features(folder))}
    model = build_tts(folder, feats_extract_conf=stored).eval()
    expected = model(**make_tts_batch())[0]
    batch = make_tts_batch()
    speech, lengths = batch.pop("speech"), batch.pop("speech_lengths")
    feats, lengths = model.feats_extract.features.extract(speech, lengths)
    batch.update(speech=feats, speech_lengths=lengths)
    assert torch.equal(model(**batch)[0], expected)
    with pytest.raises(ValueError, match="feats_extract_conf: {extracted: FOLDER}"):
        build_tts(folder)(**batch)
    other = {"architecture": make_config(features=dict(num_mels=13))}
    with pytest.raises(ValueError, match="dim: expected 12, found 13"):
        build_tts(folder, tts_conf=other, feats_extract_conf=stored)


@pytest.mark.integration
def test_trains_from_features_on_disk(folder, exp):
    stored = extract_features(folder)
    kinds = ("feats/feats.scp,speech,kaldi_ark", *TEXTS)
    found = tts_train(
        folder, "stored", "--feats_extract_conf", f"extracted={stored}", kinds=kinds
    )
    losses = [
        torch.load(own / "checkpoint.pth", weights_only=False)["reporter"]["stats"]
        for own in (exp, found)
    ]
    first, second = (own[1]["train"]["loss"] for own in losses)
    assert second == pytest.approx(first, rel=1e-3)


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
    lines = ["--lines", tmp_path / "lines.tsv", "--output", out]
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
    state = torch.load(exp / "1epoch.pth", weights_only=True)
    state.pop("tts.synthesizer.text_encoder.embedding.weight")
    torch.save(state, tmp_path / "model.pth")
    with pytest.raises(ValueError, match="missing: text_encoder.embedding.weight"):
        Synthesizer.from_pretrained(tmp_path / "model.pth", exp / "config.yaml")


@pytest.mark.integration
def test_an_exported_model_speaks_alike(exp, folder, tmp_path):
    out = export_model(exp, tmp_path / "exported")
    assert sorted(path.name for path in out.iterdir()) == [CONFIG, META, WEIGHTS]
    speakers = [load(path) for path in (out, exp / "1epoch.pth")]
    found, expected = (own("bah.", num_steps=2) for own in speakers)
    assert np.array_equal(found, expected)
    assert Synthesizer.from_pretrained(str(out)).index == {
        token: i for i, token in enumerate(PHONES)
    }
    with pytest.raises(ValueError, match="found one of the kind synthesiser"):
        load_checkpoint(out)
    with pytest.raises(ValueError, match="kind synthesiser .*kind uniwav"):
        Synthesizer.from_pretrained(folder / "checkpoint")
    export_model(exp, out, "--half")
    assert (out / WEIGHTS).stat().st_size < 0.7 * (exp / "1epoch.pth").stat().st_size
    halved = Synthesizer.from_pretrained(out).network.state_dict()
    expected = speakers[0].network.state_dict()
    torch.testing.assert_close(halved, expected, rtol=1e-3, atol=1e-6)
    assert any(not torch.equal(halved[key], expected[key]) for key in expected)


@pytest.mark.integration
def test_an_exported_model_keeps_its_vocoder(exp, folder, tmp_path):
    features = load_checkpoint(folder / "checkpoint").features
    size = dict(dim=8, ffn_dim=8, num_layers=1)
    config = {"features": make_config()["features"], "vocoder": size}
    vocoder, moved = tmp_path / "made/voc", tmp_path / "moved"
    save_checkpoint(Vocoder(features, **size), config, vocoder)
    changed = copy_experiment(exp, tmp_path / "exp", tts_conf={"vocoder": str(vocoder)})
    export_model(changed, tmp_path / "out")
    expected = say(exp / "1epoch.pth", vocoder=vocoder)
    shutil.rmtree(tmp_path / "made")
    shutil.move(tmp_path / "out", moved)
    assert str(tmp_path) not in (moved / CONFIG).read_text()
    assert np.array_equal(say(moved), expected)
    assert not np.array_equal(say(moved, vocoder="none"), expected)


@pytest.mark.integration
def test_an_exported_model_keeps_its_voice(exp, folder, tmp_path):
    shutil.copy(folder / "0.wav", tmp_path / "me.wav")
    voice = {"voice": str(tmp_path / "me.wav"), "voice_text": "bah"}
    out = export_model(
        copy_experiment(exp, tmp_path / "exp", tts_conf=voice), tmp_path / "out"
    )
    (tmp_path / "me.wav").unlink()
    assert str(tmp_path) not in (out / CONFIG).read_text()
    plain = exp / "1epoch.pth"
    assert np.array_equal(say(out), say(plain, folder / "0.wav", "bah"))
    assert not np.array_equal(say(out), say(plain))


@pytest.mark.integration
def test_tokens_that_are_not_our_phones(exp, tmp_path):
    """They are ESPnet's, from the experiment and from its export."""
    tokens = ["<blank>", "<unk>", "b", "b_E", "h", "<space>", "<sos/eos>"]
    changes = dict(token_list=tokens, token_type="char", cleaner="tacotron")
    changed = copy_experiment(exp, tmp_path / "exp", **changes)
    models = [changed / "1epoch.pth", export_model(changed, tmp_path / "out")]
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
    changed = copy_experiment(exp, tmp_path / "exp", tts_conf={"vocoder": vocoder})
    if message is None:
        export_model(changed, tmp_path / "out")
        return
    with pytest.raises(SystemExit, match=message):
        export_model(changed, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    # another vocoder may be named instead
    assert Synthesizer.from_pretrained(changed / "1epoch.pth", vocoder="none")


@pytest.mark.integration
@pytest.mark.parametrize("command", [tts, export])
def test_a_pickle_does_not_run(exp, tmp_path, command):
    sung = tmp_path / "sung"
    shutil.copy(exp / "config.yaml", tmp_path)
    torch.save({"tts.x": torch.ones(1), "y": Canary(sung)}, tmp_path / "model.pth")
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
