"""The report page: complete, self-contained, and clear about what is missing."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
import torch
import yaml
from factories import command
from torch.utils.tensorboard import SummaryWriter

from espnet_uniwav.core.checkpoint import save_checkpoint
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.io.kaldi import Utterance, read_data_folder
from espnet_uniwav.lab.report.experiment import parse_timespan, read_experiment
from espnet_uniwav.lab.report.held_out import choose_utterances
from espnet_uniwav.lab.report.report import codebook_size, read_table
from espnet_uniwav.lab.report.scalars import read_curves, read_scalars

report = command("report")

CODEBOOKS = 2
STEPS_OF_EPOCH = 4
SIZE = {"num_layers": 2, "embed_dim": 16, "num_heads": 2, "ffn_dim": 32}
LOG = """\
# Started at Sun Nov 22 10:00:00 UTC 2026
[host] 2026-11-22 10:00:00,000 (abs_task:1455) INFO: pytorch.version=2.8.0, cuda=False
[host] 2026-11-22 10:00:01,000 (abs_task:1456) INFO: Model summary:
    Total Number of model parameters: 1.23 M
[host] 2026-11-22 10:01:05,000 (trainer:394) INFO: 1epoch results: [train] \
iter_time=0.012, loss=5.100, train_time=0.500, time=1 minute and 2.5 seconds, \
total_count=4, [valid] loss=5.000, time=1.5 seconds, total_count=2, gpu_mem=0.0
[host] 2026-11-22 10:02:00,000 (trainer:394) INFO: 2epoch results: [train] loss=4.100, \
time=50 seconds, total_count=8, [valid] loss=4.000, time=1 second, total_count=4
"""
CONFIG = {
    "config": "conf/tiny.yaml",
    "ngpu": 0,
    "loss": [{"name": "dinosr", "conf": {"codebook_size": 32}}],
}


class Elements(HTMLParser):
    """Counts elements, keeps addresses, and checks that elements close in order."""

    VOID = {"meta", "link", "img", "br", "hr", "input", "source"}

    def __init__(self, html: str):
        super().__init__()
        self.count: dict[str, int] = {}
        self.addresses: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.count[tag] = self.count.get(tag, 0) + 1
        self.addresses += [v for k, v in attrs if k in ("src", "href", "srcset")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def write_events(folder, epochs: int = 2) -> None:
    """Write what ESPnet writes: interval means, then epoch means at the same step."""
    per_codebook = ("target_perplexity", "prediction_perplexity")
    tags = ["loss", "loss_dinosr", "loss_flow_matching", "accuracy", "ema_decay"]
    tags += ["masked_share", "audio_seconds_per_second", "nonfinite_steps"]
    tags += [f"{tag}_{k}" for tag in per_codebook for k in range(CODEBOOKS)]
    with SummaryWriter(folder / "train") as train, SummaryWriter(folder / "valid") as v:
        for epoch in range(1, epochs + 1):
            end = epoch * STEPS_OF_EPOCH
            for step in range(end - STEPS_OF_EPOCH + 1, end + 1):
                for tag in [*tags, "grad_norm", "optim0_lr0"]:
                    train.add_scalar(tag, 10.0 / step, step)
            train.add_scalar("iter_epoch", epoch, end)
            for tag in [*tags, "grad_norm", "optim0_lr0"]:
                train.add_scalar(tag, 100.0 * epoch, end)
            for tag in tags:
                v.add_scalar(tag, 5.0 / epoch, end)
            for k in range(CODEBOOKS):
                v.add_scalar(f"codes_used_{k}", 0.5, end)
                v.add_scalar(f"entropy_{k}", 0.7, end)


@pytest.fixture
def experiment(tmp_path):
    folder = tmp_path / "exp"
    folder.mkdir()
    (folder / "train.log").write_text(LOG)
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    write_events(folder / "tensorboard")
    return folder


@pytest.fixture
def wav_scp(tmp_path):
    """Two speakers, three utterances of noise, one with a text."""
    folder = tmp_path / "data"
    folder.mkdir()
    rng = np.random.default_rng(0)
    lines = []
    for name, seconds in (("a-1", 3.0), ("a-2", 3.1), ("b-1", 3.2)):
        path = folder / f"{name}.wav"
        soundfile.write(path, 0.1 * rng.standard_normal(int(16000 * seconds)), 16000)
        lines.append(f"{name} {path}\n")
    (folder / "wav.scp").write_text("".join(lines))
    (folder / "utt2spk").write_text("a-1 a\na-2 a\nb-1 b\n")
    (folder / "text").write_text("b-1 TWO <WORDS>\n")
    return folder / "wav.scp"


def export(folder, **parts):
    """A tiny untrained model as a checkpoint folder."""
    torch.manual_seed(0)
    config = {"features": {"name": "log_mel"}, "encoder": SIZE, **parts}
    save_checkpoint(UniWav.from_config(config), config, folder)
    return folder


@pytest.fixture
def checkpoint(tmp_path):
    return export(tmp_path / "exported", decoder=SIZE)


def build(tmp_path, *options) -> str:
    output = tmp_path / "report" / "index.html"
    report([*map(str, options), "--output", str(output), "--num_steps", "1"])
    return output.read_text(encoding="utf-8")


def test_a_whole_page(tmp_path, experiment, wav_scp, checkpoint):
    table = tmp_path / "scores.csv"
    table.write_text("system,WER\noriginal,0.1723456\n")
    html = build(
        tmp_path,
        *("--exp", experiment, "--checkpoint", checkpoint, "--wav_scp", wav_scp),
        *("--num_utterances", 2, "--table", f"Words={table}"),
        *("--infill_table", table, "--command", "run.sh --stage 1"),
    )
    page = Elements(html)
    assert page.open == []
    assert page.count["audio"] == 2 * 4
    # Four versions; two losses, accuracy; four of codebooks; six others; weights of z.
    assert page.count["img"] == 2 * 4 + 3 + 4 + 6 + 1
    assert page.count["table"] == 2
    assert all(a.startswith(("data:", "#")) for a in page.addresses)
    for text in ("0.1723", "run.sh --stage 1", "codebook_size: 32", "52", "tiny"):
        assert text in html
    assert "a-1, 3.0 s" in html or "a-2, 3.1 s" in html
    assert "TWO &lt;WORDS&gt;" in html
    assert 'class="note"' not in html


def test_players_hold_the_utterance(tmp_path, experiment, wav_scp, checkpoint):
    html = build(
        tmp_path,
        *("--exp", experiment, "--checkpoint", checkpoint, "--wav_scp", wav_scp),
        *("--num_utterances", 1),
    )
    sounds = re.findall(r"data:audio/flac;base64,([^\"]+)", html)
    lengths = set()
    for sound in sounds:
        speech, rate = soundfile.read(io.BytesIO(base64.b64decode(sound)))
        assert rate == 16000
        lengths.add(len(speech))
    assert len(sounds) == 4
    assert len(lengths) == 1


def test_missing_pieces_are_notes(tmp_path):
    empty = tmp_path / "exp"
    empty.mkdir()
    html = build(tmp_path, "--exp", empty)
    page = Elements(html)
    assert page.count.get("img", 0) == page.count.get("audio", 0) == 0
    for text in ("No TensorBoard events", "No checkpoint given", "no train.log"):
        assert text in html


def test_a_checkpoint_without_decoder_is_a_note(tmp_path, experiment, wav_scp):
    folder = export(tmp_path / "encoder")
    html = build(
        tmp_path, "--exp", experiment, "--checkpoint", folder, "--wav_scp", wav_scp
    )
    assert "no decoder" in html
    assert "<audio" not in html


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--exp", "nowhere"], "nowhere: no such experiment folder"),
        (["--exp", ".", "--checkpoint", "gone"], "gone.* is no UniWav checkpoint"),
        (["--exp", ".", "--table", "Title"], "expected TITLE=CSV"),
        (["--exp", ".", "--table", "T=none.csv"], "none.csv: no such CSV file"),
    ],
)
def test_errors_name_what_is_wrong(tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=message):
        report(options)


def test_scalars_keep_the_last_run_of_a_step(tmp_path):
    for values in ((1.0, 2.0, 3.0), (20.0, 30.0)):
        with SummaryWriter(tmp_path, filename_suffix=str(len(values))) as writer:
            for step, value in enumerate(values, 4 - len(values)):
                writer.add_scalar("loss", value, step)
                writer.flush()
    steps, values = read_scalars(tmp_path)["loss"]
    assert steps.tolist() == [1, 2, 3]
    assert values.tolist() == [1.0, 20.0, 30.0]


def test_interval_and_epoch_means_are_parted(experiment):
    curves = read_curves(experiment)
    steps, values = curves.train["loss"]
    assert steps.tolist() == list(range(1, 9))
    np.testing.assert_allclose(values, 10.0 / steps, rtol=1e-6)
    assert curves.train_epochs["loss"][1].tolist() == [100.0, 200.0]
    assert curves.valid["codes_used_1"][0].tolist() == [4, 8]


def test_the_log_tells_times_and_steps(experiment):
    run = read_experiment(experiment)
    assert run.name == "tiny"
    assert run.steps == 8
    assert run.seconds("train") == 112.5
    assert run.seconds("valid") == 2.5
    assert run.wall_seconds == 120.0
    assert (run.torch_version, run.parameters) == ("2.8.0", "1.23 M")
    assert codebook_size(run) == 32


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("50 seconds", 50.0),
        ("1 minute and 2.5 seconds", 62.5),
        ("1 day, 2 hours and 3 minutes", 93780.0),
    ],
)
def test_timespans(text, seconds):
    assert parse_timespan(text) == seconds


def test_utterances_are_of_different_speakers(wav_scp):
    utterances = read_data_folder(wav_scp)
    assert {u.speaker for u in choose_utterances(utterances, 2)} == {"a", "b"}
    assert len(choose_utterances(utterances, 9)) == 3
    with pytest.raises(ValueError, match="none of 1 utterances can be read"):
        choose_utterances([Utterance("x", wav_scp)], 1)


def test_a_table_needs_a_header(tmp_path):
    (tmp_path / "t.csv").write_text("\n")
    with pytest.raises(ValueError, match=r"t\.csv: expected a header line"):
        read_table("T", tmp_path / "t.csv")
