"""``uniwav align``: one command, four methods, the same files."""

import numpy as np
import pytest
import soundfile
import torch
import yaml
from factories import Canary, command, make_speech, write_tables

from espnet_uniwav.apps.phones.ctm import read_ctm
from espnet_uniwav.io.pipe import ALLOW
from espnet_uniwav.lab.align import forced_alignment

align = command("align")
export = command("export")

TOKENS = ["<blank>", "<unk>", "<space>", *"ABDEHILO", "<sos/eos>"]
MODEL_FILE = ["--model_file", "model.pth"]
SOME = "--allow_failed"  # s1-b has no text, s2-d no audio
TEXTS = {"s1-a": "HELLO ALI", "s1-b": "<unk>", "s2-c": "A BAD IDEA", "s2-d": "BILL"}


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder of noise; s2-c is a command, the audio of s2-d is missing."""
    monkeypatch.setenv(ALLOW, "1")
    folder = tmp_path / "data"
    folder.mkdir()
    speech, lengths = make_speech([24000, 16000, 32003])
    for name, samples, length in zip(TEXTS, speech, lengths):
        soundfile.write(folder / f"{name}.wav", samples[:length].numpy(), 16000)
    tables = {
        "wav.scp": {name: folder / f"{name}.wav" for name in TEXTS}
        | {"s2-c": f"cat {folder / 's2-c.wav'} |"},
        "text": TEXTS,
        "utt2spk": {name: name[:2] for name in TEXTS},
    }
    write_tables(folder, tables)
    return folder


def read_failed(out):
    head, *lines = (out / "failed.tsv").read_text().splitlines()
    assert head == "name\treason"
    return dict(line.split("\t") for line in lines)


def check(out, unit, data, names):
    """Contract of all methods: sorted, gapless, from 0 to the end of the audio."""
    units, words = read_ctm(out / f"{unit}.ctm"), read_ctm(out / "words.ctm")
    assert list(units) == list(words) == names
    for name, segments in units.items():
        seconds = soundfile.info(str(data / f"{name}.wav")).duration
        assert segments[0].start == 0.0
        assert segments[-1].end == round(seconds, 3)
        assert all(a.end == b.start for a, b in zip(segments, segments[1:]))
        assert [w.label for w in words[name]] == TEXTS[name].split()
    return units, words


def save_asr(folder, **conf):
    """A random model of ESPnet's own ASR task and its configuration."""
    pytest.importorskip("espnet2")
    from espnet2.tasks.asr import ASRTask

    folder.mkdir()
    conf = {"model_conf": dict(ctc_weight=1.0), **conf}
    conf = dict(
        frontend_conf=dict(fs="16k", n_fft=256, hop_length=160, n_mels=12),
        specaug=None,
        normalize=None,
        encoder="vgg_rnn",
        encoder_conf=dict(num_layers=1, hidden_size=8, output_size=8),
        token_list=TOKENS,
        token_type="char",
        output_dir=str(folder),
        **conf,
    )
    (folder / "given.yaml").write_text(yaml.safe_dump(conf))
    args = ASRTask.get_parser().parse_args(["--config", str(folder / "given.yaml")])
    (folder / "config.yaml").write_text(yaml.safe_dump(vars(args)))
    model = ASRTask.build_model(args).eval()
    torch.save(model.state_dict(), folder / "model.pth")
    return model


def test_pocketsphinx(data, tmp_path, capsys):
    out = tmp_path / "out"
    with pytest.raises(SystemExit, match=f"; 2 failed, see {out}/failed.tsv"):
        align([str(data), str(out), "--nj", "1"])
    align([str(data), str(out), "--nj", "1", SOME])
    failed = read_failed(out)
    assert failed["s1-b"] == "no text"
    assert "s2-d.wav: no such audio file" in failed["s2-d"]
    check(out, "phones", data, [name for name in TEXTS if name not in failed])
    assert str(out) in capsys.readouterr().out


def test_ctc(data, tmp_path, capsys):
    model = save_asr(tmp_path / "exp")
    out = tmp_path / "out"
    command = [str(data), str(out), "--method", "ctc", SOME]
    align([*command, "--model", str(tmp_path / "exp/model.pth")])
    units, words = check(out, "tokens", data, ["s1-a", "s2-c"])
    assert not (out / "phones.ctm").exists()
    failed = read_failed(out)
    assert failed["s1-b"] == "no text" and "no such audio file" in failed["s2-d"]
    spoken = [s.label for s in units["s2-c"] if s.label != "SIL"]
    assert spoken == list("ABADIDEA")
    assert "2 of 4 utterances aligned" in capsys.readouterr().out
    samples = soundfile.read(data / "s1-a.wav", dtype="float32")[0]
    with torch.no_grad():
        encoded, _ = model.encode(
            torch.from_numpy(samples)[None], torch.tensor([len(samples)])
        )
    from espnet_uniwav.integrations.espnet.ctc_aligner import load_recogniser

    recogniser = load_recogniser(
        tmp_path / "exp/config.yaml", tmp_path / "exp/model.pth"
    )
    torch.testing.assert_close(
        recogniser.log_probs(samples), model.ctc.log_softmax(encoded)[0].detach()
    )
    assert recogniser.sample_rate == 16000 and recogniser.blank == 0
    export([f"{tmp_path}/exp", f"{tmp_path}/whole", "--whole", *MODEL_FILE])
    exported = load_recogniser(None, tmp_path / "whole")
    assert exported.tokens == TOKENS
    assert torch.equal(exported.log_probs(samples), recogniser.log_probs(samples))


def test_ctc_of_a_pickle_does_not_run(data, tmp_path):
    save_asr(tmp_path / "exp")
    sung = tmp_path / "sung"
    torch.save({"ctc": Canary(sung)}, tmp_path / "exp/model.pth")
    command = [str(data), str(tmp_path / "out"), "--method", "ctc", "--model"]
    with pytest.raises(SystemExit, match="model.pth: expected weights alone"):
        align([*command, str(tmp_path / "exp/model.pth")])
    assert not sung.exists()


def test_mfa(data, tmp_path):
    textgrid = pytest.importorskip("praatio.textgrid")
    for name, seconds in (("s1/a", 1.5), ("s2/c", 2.0), ("s3/e", 1.0)):
        words = TEXTS.get(name.replace("/", "-"), "X").split()
        borders = np.linspace(0.1, 0.9, len(words) + 1).tolist()
        entries = list(zip(borders, borders[1:], words))
        grid = textgrid.Textgrid()
        grid.addTier(textgrid.IntervalTier("words", entries, 0, seconds))
        grid.addTier(textgrid.IntervalTier("phones", [(0.1, 0.9, "B")], 0, seconds))
        path = tmp_path / f"grids/{name}.TextGrid"
        path.parent.mkdir(parents=True, exist_ok=True)
        grid.save(str(path), "long_textgrid", True)
    out = tmp_path / "out"
    grids = str(tmp_path / "grids")
    align([str(data), str(out), "--method", "mfa", "--textgrids", grids, SOME])
    check(out, "phones", data, ["s1-a", "s2-c"])
    failed = read_failed(out)
    assert set(failed) == {"s1-b", "s2-d", "s3/e.TextGrid"}
    assert "no TextGrid named s1-b or b" in failed["s1-b"]


def test_table(data, tmp_path):
    lines = ["utt\ttier\tstart\tend\tlabel"]
    for name, seconds in (("s1-a", 1.5), ("s2-c", 32003 / 16000), ("s3-e", 1.0)):
        words = TEXTS.get(name, "X").lower().split()
        borders = np.linspace(0.1, 0.9, len(words) + 1).tolist()
        for start, end, word in zip(borders, borders[1:], words):
            lines.append(f"{name}\twords\t{start}\t{end}\t{word}")
        lines.append(f"{name}\tphones\t0.1\t0.9\tB")
        lines.append(f"{name}\tphones\t0.9\t{seconds}\tsil")
    (tmp_path / "a.tsv").write_text("\n".join(lines) + "\n")
    out, table = tmp_path / "out", str(tmp_path / "a.tsv")
    align([str(data), str(out), "--method", "table", "--alignments", table, SOME])
    check(out, "phones", data, ["s1-a", "s2-c"])
    failed = read_failed(out)
    assert set(failed) == {"s1-b", "s2-d", "s3-e"}
    assert "a.tsv has no line of it" in failed["s1-b"]


def test_some_utterances_in_groups_of_a_speaker(data, tmp_path, monkeypatch):
    seen = []

    def refuse(utterance):
        seen.append(utterance.name)
        raise ValueError("not tried")

    def no_method(data, num_workers):
        return forced_alignment.Method("phones", lambda: refuse)

    monkeypatch.setattr(forced_alignment, "pocketsphinx_method", no_method)
    with pytest.raises(SystemExit, match="0 of 2 utterances"):
        align([str(data), str(tmp_path / "out"), "--num_utterances", "2"])
    assert seen == ["s1-a", "s1-b"]


def test_old_files_disappear(data, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "phones.ctm").write_text("old")
    save_asr(tmp_path / "exp")
    model = str(tmp_path / "exp/model.pth")
    align([str(data), str(out), "--method", "ctc", "--model", model, SOME])
    assert not (out / "phones.ctm").exists()


@pytest.mark.parametrize(
    "more, said",
    [
        (["--num_workers", "-1"], "--num_workers: expected a whole number from 0"),
        (["--method", "mfa"], "needs --textgrids"),
        (["--method", "mfa", "--textgrids", "nowhere"], "nowhere: expected .*TextGrid"),
        (["--method", "table"], "needs --alignments"),
        (["--method", "table", "--alignments", "no.tsv"], "no.tsv: no such file"),
        (["--method", "ctc"], "needs --model"),
        (["--method", "ctc", "--model", "no.pth"], "config.yaml: no such file"),
    ],
)
def test_errors_are_one_line(data, tmp_path, more, said):
    with pytest.raises(SystemExit, match=f"^align: .*{said}") as error:
        align([str(data), str(tmp_path / "out"), *more])
    assert "\n" not in str(error.value) and not (tmp_path / "out").exists()


def test_a_missing_package_is_named(data, tmp_path, monkeypatch):
    monkeypatch.setattr(forced_alignment.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="^align: .*pip install pocketsphinx"):
        align([str(data), str(tmp_path / "out")])


@pytest.mark.parametrize("name, said", [("text", "the texts"), ("wav.scp", "wav.scp")])
def test_what_is_missing_is_named(data, tmp_path, name, said):
    (data / name).unlink()
    with pytest.raises(SystemExit, match=f"^align: .*{name}[ :]"):
        align([str(data), str(tmp_path / "out")])


def test_none_aligned_is_an_error_with_a_list(data, tmp_path):
    (data / "text").write_text("".join(f"{name} <unk>\n" for name in TEXTS))
    save_asr(tmp_path / "exp")
    command = [str(data), str(tmp_path / "out"), "--method", "ctc", "--model"]
    with pytest.raises(SystemExit, match="0 of 4 utterances"):
        align([*command, str(tmp_path / "exp/model.pth")])
    assert set(read_failed(tmp_path / "out")) == set(TEXTS)


def test_models_that_cannot_align(tmp_path):
    from espnet_uniwav.integrations.espnet.ctc_aligner import load_recogniser

    save_asr(tmp_path / "exp")
    config, model = tmp_path / "exp/config.yaml", tmp_path / "exp/model.pth"
    state = torch.load(model)
    name, _ = state.popitem()
    torch.save(state, model)
    with pytest.raises(
        ValueError, match=f"(?s)model.pth does not fit.*missing: {name}"
    ):
        load_recogniser(config, model)
    folder = tmp_path / "attention"
    save_asr(
        folder,
        model_conf=dict(ctc_weight=0.0),
        decoder="transformer",
        decoder_conf=dict(num_blocks=1, attention_heads=2, linear_units=8),
    )
    with pytest.raises(ValueError, match="config.yaml: expected a model with CTC"):
        load_recogniser(folder / "config.yaml", folder / "model.pth")
