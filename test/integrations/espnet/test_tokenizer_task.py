"""``model: uniwav_tokenizer`` through stock commands, and our commands around it."""

from __future__ import annotations

import os
import shutil
import threading

import numpy as np
import pytest
import soundfile
import torch
import yaml
from factories import TRAINING, command, make_config, make_model, make_speech

pytest.importorskip("espnet2")
from espnet_uniwav import plugin  # noqa: E402

plugin.register()
from espnet_uniwav.apps.tokenizer.files import read_codes  # noqa: E402
from espnet_uniwav.apps.tokenizer.tokenizer import UniWavTokenizer  # noqa: E402
from espnet_uniwav.core.checkpoint import save_checkpoint  # noqa: E402
from espnet_uniwav.integrations.espnet.experiment import export_experiment  # noqa: E402
from espnet_uniwav.io.folder import read_config  # noqa: E402
from espnet_uniwav.io.pipe import ALLOW  # noqa: E402

cluster = command("cluster")
detokenize = command("detokenize")
tokenize = command("tokenize")

CONF = dict(
    model="uniwav_tokenizer",
    use_preprocessor=False,
    **TRAINING,
)
QUICK = ["--num_steps", "2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six recordings, a configuration, and a tokenizer of two small codebooks."""
    folder = tmp_path_factory.mktemp("token")
    scp = shape = ""
    for i in range(6):
        speech, _ = make_speech([12800 + 320 * i], seed=i)
        soundfile.write(folder / f"{i}.wav", speech[0].numpy(), 16000)
        scp += f"utt{i} {folder / f'{i}.wav'}\n"
        shape += f"utt{i} {12800 + 320 * i}\n"
    (folder / "wav.scp").write_text(scp)
    (folder / "shape").write_text(shape)
    (folder / "tokens").write_text("<blank>\n<unk>\n<sos/eos>\n")
    (folder / "conf.yaml").write_text(yaml.safe_dump(CONF))
    save_checkpoint(make_model(), make_config(), folder / "checkpoint")
    command = [str(folder / name) for name in ("checkpoint", "wav.scp", "start")]
    cluster([*command, "--layer", "2", "--num_codebooks", "2", "--codebook_size", "16"])
    return folder


def train(folder, conf, checkpoint, exp):
    """Stock training on the recordings of the folder."""
    from espnet2.bin.ssl_train import main

    options = ["--config", str(conf), "--token_list", f"{folder}/tokens"]
    for split in ("train", "valid"):
        options += [f"--{split}_shape_file", f"{folder}/shape"]
        kind = f"{folder}/wav.scp,speech,sound"
        options += [f"--{split}_data_path_and_name_and_type", kind]
    options += ["--model_conf", f"checkpoint={folder / checkpoint}"]
    main([*options, "--output_dir", str(exp)])
    return exp


@pytest.fixture(scope="module")
def exp(folder):
    return train(folder, folder / "conf.yaml", "start", folder / "exp")


@pytest.fixture
def speech():
    return make_speech([12800, 9000])


def build(folder, **model_conf):
    from espnet2.tasks.ssl import SSLTask

    options = ["--config", f"{folder}/conf.yaml", "--token_list", f"{folder}/tokens"]
    args = SSLTask.get_parser().parse_args([*options, "--output_dir", "none"])
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


def test_bfloat16_is_near(folder, speech):
    losses = []
    for bf16 in (False, True):
        model, _ = build(folder, checkpoint=f"{folder}/start", bf16=bf16)
        losses.append(model.eval()(speech=speech[0], speech_lengths=speech[1])[0])
    assert 0 < abs(losses[0] - losses[1]) < 0.05 * losses[0]


def test_packaged_models_and_tokenizers(folder, packaged, tmp_path):
    target = tmp_path / "models/tokens"
    command = ["tiny-test", f"{folder}/wav.scp", str(target), "--layer", "2"]
    cluster([*command, "--codebook_size", "16"])
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
    cluster([f"{folder}/checkpoint", f"{folder}/wav.scp", f"{tmp_path}/s", *LEARNED])
    said = capsys.readouterr().out
    assert "2 codebooks of 16 at 25 Hz: 200 bit/s and a speaker code of 8 bits" in said
    assert "codebook 2: " in said
    assert read_config(tmp_path / "s")["model"]["encoder"]["num_layers"] == 0
    train(folder, folder / "conf.yaml", tmp_path / "s", tmp_path / "exp")
    exported = export_experiment(tmp_path / "exp", tmp_path / "tokenizer").eval()
    start = UniWavTokenizer.from_pretrained(tmp_path / "s").quantizer
    for name in ("codebooks", "speaker.analysis.weight"):
        before, after = (own.state_dict()[name] for own in (start, exported.quantizer))
        assert not torch.equal(before, after)
    tokenizer = ["--tokenizer", f"{tmp_path}/tokenizer"]
    tokenize([f"{folder}/wav.scp", f"{tmp_path}/codes", *tokenizer])
    voices = (tmp_path / "codes/voices").read_text().splitlines()
    speech = torch.from_numpy(soundfile.read(folder / "0.wav", dtype="float32")[0])
    voice = " ".join(map(str, exported.encode_speaker(speech[None])[0].tolist()))
    assert len(voices) == 6 and voices[0] == f"utt0 {voice}"
    fewer = [f"{folder}/wav.scp", f"{tmp_path}/fewer", *tokenizer]
    tokenize([*fewer, "--num_codebooks", "1"])
    first = "codes_1"
    assert (tmp_path / "fewer" / first).read_text() == (
        tmp_path / "codes" / first
    ).read_text()
    assert not (tmp_path / "fewer/codes_2").exists()
    detokenize([f"{tmp_path}/fewer", f"{tmp_path}/rough", *tokenizer, *QUICK])
    heard = []
    for source in (f"{tmp_path}/codes", f"{folder}/wav.scp"):
        for prompt in ([], ["--prompt", f"{folder}/5.wav"]):
            out = tmp_path / f"speech{len(heard)}"
            detokenize([source, str(out), *tokenizer, *QUICK, *prompt])
            heard.append(soundfile.read(out / "utt0.wav")[0])
    assert len(heard[0]) == 12800 and not np.array_equal(heard[0], heard[1])
    np.testing.assert_allclose(heard[0], heard[2], atol=1e-3)
    np.testing.assert_allclose(heard[1], heard[3], atol=1e-3)


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("form", ["text", "npz"])
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
    command = [str(tmp_path / "wav.scp"), str(tmp_path / "codes")]
    command += ["--tokenizer", f"{folder}/start", "--format", form]
    with pytest.raises(SystemExit) as end:
        tokenize([*command, "--num_workers", str(num_workers)])
    said = str(end.value)
    assert "6 of 10 files encoded, 0 of them before" in said
    assert "codebook 2: " in said and "of 4.00 bits" in said
    assert said.endswith(f"; 4 failed, see {tmp_path}/codes/failed.tsv")
    failed = (tmp_path / "codes/failed.tsv").read_text().splitlines()[1:]
    reasons = ("cannot be read as audio", "0 samples", "121 s", "no such audio file")
    assert len(failed) == 4
    for line, name, reason in zip(failed, bad, reasons):
        assert line.startswith(f"{name}\t") and reason in line
    tokenize([*command, "--allow_failed"])
    assert "6 of 10 files encoded, 6 of them before" in capsys.readouterr().out
    times = (tmp_path / "codes/times.tsv").read_text().splitlines()[1:]
    assert len(times) == 6 and [row.split("\t")[::2] for row in times[:2]] == [
        ["utt0", "0.8000"],
        ["utt1", "0.8200"],
    ]

    command = [str(tmp_path / "codes"), str(tmp_path / "speech"), *QUICK]
    detokenize([*command, "--tokenizer", f"{folder}/start"])
    assert "6 of 6 spoken" in capsys.readouterr().out
    samples, rate = soundfile.read(tmp_path / "speech/utt3.wav")
    assert rate == 16000 and len(samples) == 12800 + 3 * 320


def test_voices(folder, tmp_path):
    tokenizer = ["--tokenizer", f"{folder}/start"]
    tokenize([f"{folder}/wav.scp", f"{tmp_path}/codes", *tokenizer])
    command = [f"{tmp_path}/codes", f"{tmp_path}/a", *tokenizer, *QUICK]
    detokenize(command)
    detokenize(
        [*command[:1], f"{tmp_path}/b", *command[2:], "--prompt", f"{folder}/5.wav"]
    )
    detokenize(
        [*command[:1], f"{tmp_path}/c", *command[2:], "--prompts", f"{folder}/wav.scp"]
    )
    heard = [soundfile.read(tmp_path / name / "utt5.wav")[0] for name in "abc"]
    assert not np.array_equal(heard[0], heard[1]) and np.array_equal(*heard[1:])
    (tmp_path / "few.scp").write_text(f"utt1 {folder}/1.wav\n")
    with pytest.raises(SystemExit, match="few.scp lacks 5 of 6 names"):
        detokenize([*command, "--prompts", f"{tmp_path}/few.scp"])


def test_recordings_are_spoken_at_once(folder, tmp_path):
    tokenizer = ["--tokenizer", f"{folder}/start"]
    tokenize([f"{folder}/wav.scp", f"{tmp_path}/codes", *tokenizer])
    for kind, out in ((f"{tmp_path}/codes", "a"), (f"{folder}/wav.scp", "b")):
        detokenize([kind, str(tmp_path / out), *tokenizer, *QUICK])
    heard = [soundfile.read(tmp_path / name / "utt5.wav")[0] for name in "ab"]
    np.testing.assert_allclose(*heard, atol=1e-3)
    start = [f"{folder}/checkpoint", f"{folder}/wav.scp", f"{tmp_path}/none"]
    cluster([*start, "--layer", "2", "--num_codebooks", "0"])
    none = ["--tokenizer", start[-1]]
    detokenize([f"{folder}/wav.scp", str(tmp_path / "c"), *none, *QUICK])
    with pytest.raises(SystemExit, match="none: expected a tokenizer with codebooks"):
        tokenize([f"{folder}/wav.scp", str(tmp_path / "d"), *none])
    assert len(soundfile.read(tmp_path / "c/utt5.wav")[0]) == len(heard[0])


def test_codes_of_another_tokenizer_are_listed(folder, tmp_path, capsys):
    (tmp_path / "codes_1").write_text("a 1 2\nb 1 16\n")
    (tmp_path / "codes_2").write_text("a 1 2\nb 1 2\n")
    command = [str(tmp_path), str(tmp_path / "out"), *QUICK]
    command += ["--tokenizer", f"{folder}/start"]
    with pytest.raises(SystemExit, match="1 of 2 spoken; 1 failed, see .*failed.tsv"):
        detokenize(command)
    assert "from 1 to 16" in (tmp_path / "out/failed.tsv").read_text()
    detokenize([*command, "--allow_failed"])
    assert "1 of 2 spoken" in capsys.readouterr().out
    for table in ("b 1 16\n", ""):
        (tmp_path / "codes_1").write_text(table)
        with pytest.raises(SystemExit, match="detokenize: .*: 0 of . spoken"):
            detokenize([*command, "--allow_failed"])


@pytest.mark.parametrize("form", ["text", "npz"])
def test_changed_recordings_are_encoded_again(folder, tmp_path, capsys, form):
    scp, codes = tmp_path / "wav.scp", tmp_path / "codes"
    for i, place in enumerate((0, 1, 5)):
        shutil.copy2(folder / f"{place}.wav", tmp_path / f"{i}.wav")
    names = ("a", "b\u00a0c", "b\u3000d")
    lines = [f"{name} {tmp_path}/{i}.wav\n" for i, name in enumerate(names)]
    scp.write_text("".join(lines), encoding="utf-8")
    command = [str(scp), str(codes), "--tokenizer", f"{folder}/start", "--format", form]
    tokenize(command)
    before = read_codes(codes)
    assert before.keys() == set(names)
    tokenize(command)
    assert "3 of 3 files encoded, 3 of them before;" in capsys.readouterr().out
    assert read_codes(codes).keys() == set(names)
    shutil.copy(folder / "0.wav", tmp_path / "2.wav")
    tokenize(command)
    said = "3 of 3 files encoded, 2 of them before, 1 again, of recordings that have"
    assert said in capsys.readouterr().out
    after = read_codes(codes)
    assert np.array_equal(after[names[2]], before["a"])
    assert not np.array_equal(before[names[2]], before["a"])
    assert all(np.array_equal(after[name], before[name]) for name in names[:2])
    times = (codes / "times.tsv").read_text(encoding="utf-8").splitlines()
    assert sorted(row.split("\t")[0] for row in times[1:]) == sorted(names)


def test_segments_are_encoded_one_by_one(folder, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    samples = [soundfile.read(folder / f"{i}.wav")[0] for i in (0, 1)]
    soundfile.write(data / "r.wav", np.concatenate(samples), 16000)
    (data / "wav.scp").write_text(f"r {data}/r.wav\n")
    end = len(samples[0]) / 16000
    (data / "segments").write_text(f"one r 0 {end}\ntwo r {end} -1\n")
    tokenizer = ["--tokenizer", f"{folder}/start"]
    for scp, name in ((data / "wav.scp", "cut"), (folder / "wav.scp", "files")):
        tokenize([str(scp), str(tmp_path / name), *tokenizer])
    cut, files = (read_codes(tmp_path / name) for name in ("cut", "files"))
    assert list(cut) == ["one", "two"]
    assert np.array_equal(cut["one"], files["utt0"])
    assert np.array_equal(cut["two"], files["utt1"])


def test_a_prompt_that_is_a_pipe(folder, tmp_path):
    tokenizer = ["--tokenizer", f"{folder}/start", *QUICK]
    tokenize([f"{folder}/wav.scp", f"{tmp_path}/codes", *tokenizer[:2]])
    os.mkfifo(tmp_path / "fifo")
    content = (folder / "5.wav").read_bytes()
    writer = threading.Thread(target=(tmp_path / "fifo").write_bytes, args=(content,))
    writer.start()
    for prompt, out in ((tmp_path / "fifo", "a"), (folder / "5.wav", "b")):
        command = [f"{tmp_path}/codes", f"{tmp_path}/{out}", *tokenizer]
        detokenize([*command, "--prompt", str(prompt)])
    writer.join(5)
    heard = [soundfile.read(tmp_path / out / "utt3.wav")[0] for out in "ab"]
    assert np.array_equal(*heard)


def test_codes_of_an_older_version_are_kept(folder, tmp_path, capsys):
    """There is no table of recordings: they count as unchanged, until they change."""
    shutil.copy2(folder / "0.wav", tmp_path / "a.wav")
    (tmp_path / "wav.scp").write_text(f"a {tmp_path}/a.wav\n")
    command = [f"{tmp_path}/wav.scp", f"{tmp_path}/codes"]
    command += ["--tokenizer", f"{folder}/start"]
    tokenize(command)
    (tmp_path / "codes/recordings.tsv").unlink()
    shutil.copy(folder / "1.wav", tmp_path / "a.wav")
    tokenize(command)
    assert "1 of them before;" in capsys.readouterr().out
    shutil.copy(folder / "5.wav", tmp_path / "a.wav")
    tokenize(command)
    assert "0 of them before, 1 again" in capsys.readouterr().out


def test_cluster_refuses(folder, tmp_path):
    command = [f"{folder}/checkpoint", f"{folder}/wav.scp", str(tmp_path / "out")]
    with pytest.raises(SystemExit, match="0 to 3, features or learned, found 9"):
        cluster([*command, "--layer", "9"])
    with pytest.raises(SystemExit, match="at least 1024 frames"):
        cluster([*command, "--layer", "1"])
    save_checkpoint(make_model(decoder=None), make_config(decoder=None), tmp_path / "e")
    command[0] = str(tmp_path / "e")
    small = ["--layer", "1", "--codebook_size", "8"]
    with pytest.raises(SystemExit, match="needs a model with a decoder"):
        cluster([*command, *small])
    cluster([*command, *small, "--decoder", f"{folder}/checkpoint"])
    assert UniWavTokenizer.from_pretrained(tmp_path / "out").uniwav.decoder


def test_codes_of_a_random_encoder(folder, tmp_path):
    """Weights and clusters are those of the seed."""
    small = ["--layer", "1", "--codebook_size", "8", "--random_weights"]
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        command = [f"{folder}/checkpoint", f"{folder}/wav.scp", str(tmp_path / name)]
        cluster([*command, *small, "--seed", str(seed)])
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
