"""``model: uniwav_tokenizer`` through stock commands, and our commands around it."""

import os
import shutil
import threading

import numpy as np
import pytest
import soundfile
import torch
import yaml
from espnet2.tasks.ssl import SSLTask
from espnet_case import train, train_options, write_task
from factories import TRAINING, command, make_speech, save_model

from espnet_uniwav.apps.tokenizer.files import read_codes
from espnet_uniwav.apps.tokenizer.tokenizer import UniWavTokenizer
from espnet_uniwav.integrations.espnet.experiment import export_experiment
from espnet_uniwav.io.folder import read_config
from espnet_uniwav.io.pipe import ALLOW

cluster = command("cluster")
QUICK = ["--num_steps", "2"]
NUMBER = 6


def tokenize(scp, out, tokenizer, *more):
    command("tokenize")([scp, out, "--tokenizer", tokenizer, *more])
    return out


def detokenize(source, out, tokenizer, *more):
    """Returns the spoken samples by name."""
    command("detokenize")([source, out, "--tokenizer", tokenizer, *QUICK, *more])
    return {path.stem: soundfile.read(path)[0] for path in out.glob("*.wav")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six recordings, a configuration, and a tokenizer of two small codebooks."""
    folder = tmp_path_factory.mktemp("token")
    conf = dict(model="uniwav_tokenizer", use_preprocessor=False, **TRAINING)
    write_task(folder, conf, [12800 + 320 * i for i in range(NUMBER)])
    save_model(folder / "checkpoint")
    places = [folder / name for name in ("checkpoint", "wav.scp", "start")]
    cluster([*places, "--layer", "2", "--num_codebooks", "2", "--codebook_size", "16"])
    return folder


def train_tokenizer(folder, checkpoint, name):
    return train("ssl", folder, name, "--model_conf", f"checkpoint={checkpoint}")


@pytest.fixture(scope="module")
def exp(folder):
    return train_tokenizer(folder, folder / "start", "exp")


@pytest.fixture
def speech():
    return make_speech([12800, 9000])


def build(folder, **model_conf):
    args = SSLTask.get_parser().parse_args(train_options(folder, "none"))
    args.model_conf = model_conf
    return SSLTask.build_model(args), args


def test_model_takes_everything_from_the_checkpoint(folder, speech):
    model, args = build(folder, checkpoint=f"{folder}/start")
    start = UniWavTokenizer.from_pretrained(folder / "start")
    for name, value in start.state_dict().items():
        assert torch.equal(model.tokenizer.state_dict()[name], value)
    loss, stats, weight = model.train()(speech=speech[0], speech_lengths=speech[1])
    assert loss.isfinite() and weight == 2
    assert set(stats) == {"loss", "loss_flow", "perplexity_0", "perplexity_1"}
    architecture = args.model_conf["architecture"]
    assert architecture["tokenizer"]["codebook_size"] == 16
    assert args.frontend == "uniwav" and args.loss == []


def test_validation_repeats(folder, speech):
    model = build(folder, checkpoint=f"{folder}/start")[0].eval()
    losses = [model(speech=speech[0], speech_lengths=speech[1])[0] for _ in range(2)]
    assert torch.equal(*losses)


def test_features_from_disk(folder, speech):
    config = folder / "checkpoint/config.yaml"
    command("extract")([folder / "wav.scp", folder / "feats", "--config", config])
    args = SSLTask.get_parser().parse_args(train_options(folder, "none"))
    args.model_conf = {"checkpoint": f"{folder}/start"}
    args.frontend_conf = {"extracted": f"{folder}/feats"}
    model = SSLTask.build_model(args).eval()
    expected = model(speech=speech[0], speech_lengths=speech[1])[0]
    x, lengths = model.tokenizer.features.extract(*speech)
    assert torch.equal(model(speech=x, speech_lengths=lengths)[0], expected)
    model, _ = build(folder, checkpoint=f"{folder}/start")
    with pytest.raises(ValueError, match="frontend_conf: {extracted: FOLDER}"):
        model(speech=x, speech_lengths=lengths)


def test_bfloat16_is_near(folder, speech):
    losses = []
    for bf16 in (False, True):
        model, _ = build(folder, checkpoint=f"{folder}/start", bf16=bf16)
        losses.append(model.eval()(speech=speech[0], speech_lengths=speech[1])[0])
    assert 0 < abs(losses[0] - losses[1]) < 0.05 * losses[0]


def test_packaged_models_and_tokenizers(folder, packaged, tmp_path):
    places = ["tiny-test", folder / "wav.scp", tmp_path / "models/tokens"]
    cluster([*places, "--layer", "2", "--codebook_size", "16"])
    expected = UniWavTokenizer.from_pretrained("tokens").state_dict()
    model, _ = build(folder, checkpoint="tokens")
    found = model.tokenizer.state_dict()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert read_config("tokens")["about"]["checkpoint"] == "tiny-test"


def test_a_pretrained_model_is_no_tokenizer(folder):
    with pytest.raises(ValueError, match="kind tokenizer .`uniwav cluster` makes one"):
        build(folder, checkpoint=f"{folder}/checkpoint")
    with pytest.raises(ValueError, match="model_conf needs checkpoint"):
        build(folder)


@pytest.mark.integration
def test_train_and_export(folder, exp, speech):
    exported = export_experiment(exp, folder / "tokenizer")
    loaded = UniWavTokenizer.from_pretrained(folder / "tokenizer")
    start = UniWavTokenizer.from_pretrained(folder / "start")
    codes = loaded.encode(*speech)
    assert torch.equal(codes, start.encode(*speech))
    assert torch.equal(codes, exported.eval().encode(*speech))
    assert not torch.equal(loaded.quantizer.embedding, start.quantizer.embedding)
    saved = yaml.safe_load((exp / "config.yaml").read_text())
    assert saved["model_conf"]["architecture"]["tokenizer"]["layer"] == 2


@pytest.mark.integration
def test_trained_model_needs_no_checkpoint(folder, exp):
    saved = yaml.safe_load((exp / "config.yaml").read_text())["model_conf"]
    model, _ = build(folder, **{**saved, "checkpoint": "gone"})
    with pytest.raises(FileNotFoundError, match="gone is missing"):
        model(speech=torch.zeros(1, 800), speech_lengths=torch.tensor([800]))
    model.load_state_dict(torch.load(exp / "latest.pth"))
    assert model(speech=torch.zeros(1, 800), speech_lengths=torch.tensor([800]))


def test_a_training_of_an_older_version_resumes(folder, speech):
    """ESPnet loads the model, whose tensors had other names, and the optimiser."""
    model, args = build(folder, checkpoint=f"{folder}/start")
    old = {
        name.replace("quantizer.codebooks", "quantizer.means")
        .replace("quantizer.readout_scale", "quantizer.metric.scale")
        .replace("quantizer.whitening.", "quantizer.metric."): value
        for name, value in model.state_dict().items()
    }
    assert "tokenizer.quantizer.metric.axes" in old
    architecture = args.model_conf["architecture"]
    architecture["tokenizer"] |= {"normalise": True, "readout_weight": 1.0}
    torch.manual_seed(1)
    fresh, _ = build(folder, architecture=architecture)
    fresh.load_state_dict(old)
    for name, value in model.state_dict().items():
        assert torch.equal(fresh.state_dict()[name], value)


LEARNED = ["--layer", "learned", "--num_codebooks", "2", "--codebook_size", "16"]
LEARNED += ["--frames_per_code", "2", "--speaker_code_length", "4"]


@pytest.mark.integration
def test_learned_codes_by_commands(folder, tmp_path, capsys):
    cluster([folder / "checkpoint", folder / "wav.scp", tmp_path / "s", *LEARNED])
    said = capsys.readouterr().out
    assert "2 codebooks of 16 at 25 Hz: 200 bit/s and a speaker code of 8 bits" in said
    assert "codebook 2: " in said
    assert read_config(tmp_path / "s")["model"]["encoder"]["num_layers"] == 0
    exp = train_tokenizer(folder, tmp_path / "s", "learned")
    tokenizer = tmp_path / "tokenizer"
    exported = export_experiment(exp, tokenizer).eval()
    start = UniWavTokenizer.from_pretrained(tmp_path / "s").quantizer
    for name in ("codebooks", "speaker.analysis.weight"):
        before, after = (own.state_dict()[name] for own in (start, exported.quantizer))
        assert not torch.equal(before, after)
    codes = tokenize(folder / "wav.scp", tmp_path / "codes", tokenizer)
    voices = (codes / "voices").read_text().splitlines()
    speech = torch.from_numpy(soundfile.read(folder / "0.wav", dtype="float32")[0])
    voice = " ".join(map(str, exported.encode_speaker(speech[None])[0].tolist()))
    assert len(voices) == NUMBER and voices[0] == f"utt0 {voice}"
    one = ["--num_codebooks", "1"]
    fewer = tokenize(folder / "wav.scp", tmp_path / "fewer", tokenizer, *one)
    assert (fewer / "codes_1").read_text() == (codes / "codes_1").read_text()
    assert not (fewer / "codes_2").exists()
    detokenize(fewer, tmp_path / "rough", tokenizer)
    heard = []
    for source in (codes, folder / "wav.scp"):
        for prompt in ([], ["--prompt", folder / "5.wav"]):
            out = tmp_path / f"speech{len(heard)}"
            heard.append(detokenize(source, out, tokenizer, *prompt)["utt0"])
    assert len(heard[0]) == 12800 and not np.array_equal(heard[0], heard[1])
    np.testing.assert_allclose(heard[0], heard[2], atol=1e-3)
    np.testing.assert_allclose(heard[1], heard[3], atol=1e-3)


@pytest.mark.parametrize("form, num_workers", [("text", 0), ("npz", 0), ("text", 2)])
def test_commands_list_every_file(
    folder, tmp_path, capsys, monkeypatch, form, num_workers
):
    monkeypatch.setenv(ALLOW, "1")
    first = f"{folder / '0.wav'}"
    good = (folder / "wav.scp").read_text().replace(first, f"cat {first} |")
    (tmp_path / "text.wav").write_text("no audio")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 16000)
    soundfile.write(tmp_path / "long.wav", np.zeros(16000 * 121), 16000)
    bad = {name: tmp_path / f"{name}.wav" for name in ("text", "empty", "long", "gone")}
    lines = "".join(f"{name} {path}\n" for name, path in bad.items())
    (tmp_path / "wav.scp").write_text(good + lines)
    codes, start = tmp_path / "codes", folder / "start"
    options = ["--format", form, "--num_workers", num_workers]
    with pytest.raises(SystemExit) as end:
        tokenize(tmp_path / "wav.scp", codes, start, *options)
    said = str(end.value)
    assert "6 of 10 files encoded, 0 of them before" in said
    assert "codebook 2: " in said and "of 4.00 bits" in said
    assert said.endswith(f"; 4 failed, see {codes}/failed.tsv")
    failed = (codes / "failed.tsv").read_text().splitlines()[1:]
    reasons = ("cannot be read as audio", "0 samples", "121 s", "no such audio file")
    assert len(failed) == 4
    for line, name, reason in zip(failed, bad, reasons):
        assert line.startswith(f"{name}\t") and reason in line
    tokenize(tmp_path / "wav.scp", codes, start, *options[:2], "--allow_failed")
    assert "6 of 10 files encoded, 6 of them before" in capsys.readouterr().out
    times = (codes / "times.tsv").read_text().splitlines()[1:]
    assert len(times) == NUMBER and [row.split("\t")[::2] for row in times[:2]] == [
        ["utt0", "0.8000"],
        ["utt1", "0.8200"],
    ]
    assert len(detokenize(codes, tmp_path / "speech", start)["utt3"]) == 12800 + 3 * 320
    assert "6 of 6 spoken" in capsys.readouterr().out
    assert soundfile.info(tmp_path / "speech/utt3.wav").samplerate == 16000


def test_voices(folder, tmp_path):
    """Of a prompt (here from a pipe), and of a table of prompts."""
    start = folder / "start"
    codes = tokenize(folder / "wav.scp", tmp_path / "codes", start)
    plain = detokenize(codes, tmp_path / "a", start)
    os.mkfifo(tmp_path / "fifo")
    content = (folder / "5.wav").read_bytes()
    writer = threading.Thread(target=(tmp_path / "fifo").write_bytes, args=(content,))
    writer.start()
    heard = [
        detokenize(codes, tmp_path / "b", start, "--prompt", tmp_path / "fifo"),
        detokenize(codes, tmp_path / "c", start, "--prompt", folder / "5.wav"),
        detokenize(codes, tmp_path / "d", start, "--prompts", folder / "wav.scp"),
    ]
    writer.join(5)
    assert not np.array_equal(plain["utt5"], heard[0]["utt5"])
    assert all(np.array_equal(heard[0]["utt5"], own["utt5"]) for own in heard)
    (tmp_path / "few.scp").write_text(f"utt1 {folder}/1.wav\n")
    with pytest.raises(SystemExit, match="few.scp lacks 5 of 6 names"):
        detokenize(codes, tmp_path / "a", start, "--prompts", tmp_path / "few.scp")


def test_recordings_are_spoken_at_once(folder, tmp_path):
    scp, start, none = folder / "wav.scp", folder / "start", tmp_path / "none"
    codes = tokenize(scp, tmp_path / "codes", start)
    sources = dict(a=codes, b=scp)
    heard = [detokenize(kind, tmp_path / out, start) for out, kind in sources.items()]
    np.testing.assert_allclose(*(own["utt5"] for own in heard), atol=1e-3)
    cluster([folder / "checkpoint", scp, none, "--layer", "2", "--num_codebooks", "0"])
    assert len(detokenize(scp, tmp_path / "c", none)["utt5"]) == len(heard[0]["utt5"])
    with pytest.raises(SystemExit, match="none: expected a tokenizer with codebooks"):
        tokenize(scp, tmp_path / "d", none)


def test_codes_of_another_tokenizer_are_listed(folder, tmp_path, capsys):
    (tmp_path / "codes_1").write_text("a 1 2\nb 1 16\n")
    (tmp_path / "codes_2").write_text("a 1 2\nb 1 2\n")
    command = [tmp_path, tmp_path / "out", folder / "start"]
    with pytest.raises(SystemExit, match="1 of 2 spoken; 1 failed, see .*failed.tsv"):
        detokenize(*command)
    assert "from 1 to 16" in (tmp_path / "out/failed.tsv").read_text()
    detokenize(*command, "--allow_failed")
    assert "1 of 2 spoken" in capsys.readouterr().out
    for table in ("b 1 16\n", ""):
        (tmp_path / "codes_1").write_text(table)
        with pytest.raises(SystemExit, match="detokenize: .*: 0 of . spoken"):
            detokenize(*command, "--allow_failed")


@pytest.mark.parametrize("form", ["text", "npz"])
def test_changed_recordings_are_encoded_again(folder, tmp_path, capsys, form):
    scp, codes = tmp_path / "wav.scp", tmp_path / "codes"
    for i, place in enumerate((0, 1, 5)):
        shutil.copy2(folder / f"{place}.wav", tmp_path / f"{i}.wav")
    names = ("a", "b\u00a0c", "b\u3000d")
    lines = [f"{name} {tmp_path}/{i}.wav\n" for i, name in enumerate(names)]
    scp.write_text("".join(lines), encoding="utf-8")

    def run():
        tokenize(scp, codes, folder / "start", "--format", form)
        return capsys.readouterr().out

    run()
    before = read_codes(codes)
    assert before.keys() == set(names)
    assert "3 of 3 files encoded, 3 of them before;" in run()
    assert read_codes(codes).keys() == set(names)
    shutil.copy(folder / "0.wav", tmp_path / "2.wav")
    said = "3 of 3 files encoded, 2 of them before, 1 again, of recordings that have"
    assert said in run()
    after = read_codes(codes)
    assert np.array_equal(after[names[2]], before["a"])
    assert not np.array_equal(before[names[2]], before["a"])
    assert all(np.array_equal(after[name], before[name]) for name in names[:2])
    times = (codes / "times.tsv").read_text(encoding="utf-8").splitlines()
    assert sorted(row.split("\t")[0] for row in times[1:]) == sorted(names)
    # recordings of an older version, without a table, count as unchanged
    (codes / "recordings.tsv").unlink()
    shutil.copy(folder / "1.wav", tmp_path / "0.wav")
    assert "3 of them before;" in run()
    shutil.copy(folder / "5.wav", tmp_path / "0.wav")
    assert "2 of them before, 1 again" in run()


def test_segments_are_encoded_one_by_one(folder, tmp_path):
    samples = [soundfile.read(folder / f"{i}.wav")[0] for i in (0, 1)]
    soundfile.write(tmp_path / "r.wav", np.concatenate(samples), 16000)
    (tmp_path / "wav.scp").write_text(f"r {tmp_path}/r.wav\n")
    end = len(samples[0]) / 16000
    (tmp_path / "segments").write_text(f"one r 0 {end}\ntwo r {end} -1\n")
    cut, files = (
        read_codes(tokenize(scp / "wav.scp", tmp_path / name, folder / "start"))
        for scp, name in ((tmp_path, "cut"), (folder, "files"))
    )
    assert list(cut) == ["one", "two"]
    assert np.array_equal(cut["one"], files["utt0"])
    assert np.array_equal(cut["two"], files["utt1"])


def test_cluster_refuses(folder, tmp_path):
    places = [folder / "checkpoint", folder / "wav.scp", tmp_path / "out"]
    with pytest.raises(SystemExit, match="0 to 3, features or learned, found 9"):
        cluster([*places, "--layer", "9"])
    with pytest.raises(SystemExit, match="at least 1024 frames"):
        cluster([*places, "--layer", "1"])
    save_model(tmp_path / "e", decoder=None)
    places[0] = tmp_path / "e"
    small = ["--layer", "1", "--codebook_size", "8"]
    with pytest.raises(SystemExit, match="needs a model with a decoder"):
        cluster([*places, *small])
    cluster([*places, *small, "--decoder", folder / "checkpoint"])
    assert UniWavTokenizer.from_pretrained(tmp_path / "out").uniwav.decoder


def test_codes_of_a_random_encoder(folder, tmp_path):
    """Weights and clusters are those of the seed."""
    small = ["--layer", "1", "--codebook_size", "8", "--random_weights"]
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        places = [folder / "checkpoint", folder / "wav.scp", tmp_path / name]
        cluster([*places, *small, "--seed", seed])
    a, b, c = (
        UniWavTokenizer.from_pretrained(tmp_path / name).state_dict() for name in "abc"
    )
    trained = UniWavTokenizer.from_pretrained(folder / "start").state_dict()
    weights = "uniwav.encoder.input_projection.weight"
    for key, found in b.items():
        torch.testing.assert_close(found, a[key], rtol=1e-3, atol=1e-4, msg=key)
    assert not torch.equal(a[weights], c[weights])
    assert not torch.equal(a[weights], trained[weights])
    assert read_config(tmp_path / "a")["about"]["random_weights"]
