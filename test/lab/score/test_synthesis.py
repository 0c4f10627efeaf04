"""Scores of generated speech: closed forms, the cache, the page, bad input."""

from __future__ import annotations

import csv
import importlib.util

import numpy as np
import pytest
import soundfile
from factories import command

from espnet_uniwav.apps.tts.lines import Line
from espnet_uniwav.core.checkpoint import save_features
from espnet_uniwav.core.features import NeuralCodec
from espnet_uniwav.lab.report.page import load_sections
from espnet_uniwav.lab.score import speech_scores
from espnet_uniwav.lab.score.speech import NEEDED, means
from espnet_uniwav.lab.score.speech_scores import (
    CODED,
    COPY,
    RECORDING,
    STRANGER,
    SpeechScore,
    SpeechScorer,
    strangers,
)
from espnet_uniwav.lab.score.word_errors import Errors

score = command("score")

RATE = 16000


class FakeJudge:
    """Transcribes by loudness, and counts its calls."""

    asked = 0

    def transcribe(self, speech, rate):
        FakeJudge.asked += 1
        return "one two three" if speech.abs().max() > 0.5 else "won two three"

    def embed(self, speech):
        return np.array([1.0, 0.0]) if speech.max() > 0.5 else np.array([0.6, 0.8])

    def score(self, speech):
        return 1 + 3 * float(speech.max())


@pytest.fixture
def judged(monkeypatch):
    for name in ("WhisperJudge", "SpeakerJudge", "NaturalnessJudge"):
        monkeypatch.setattr(speech_scores, name, FakeJudge)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    FakeJudge.asked = 0


@pytest.fixture
def lines(tmp_path):
    """Three lines of two speakers; two systems, of which one is too quiet."""
    table = "name\ttext\tprompt\treference\tspeaker\n"
    for name, speaker, loud in (("a", "x", 0.9), ("b", "x", 0.4), ("c", "y", 0.9)):
        for folder, factor in (("ref", 1.0), ("good", 1.0), ("quiet", 0.3)):
            write_tone(tmp_path / folder / f"{name}.wav", loud * factor)
        table += (
            f"{name}\tOne 2 three.\t{tmp_path}/ref/a.wav\t{tmp_path}/ref/{name}.wav"
        )
        table += f"\t{speaker}\n"
    (tmp_path / "lines.tsv").write_text(table)
    times = 'name\tspent\tspoken\n"a\t1\t4\nb\t2\t8\n'  # a name may hold a mark
    (tmp_path / "good/times.tsv").write_text(times)
    return tmp_path / "lines.tsv"


def write_tone(path, peak):
    path.parent.mkdir(exist_ok=True)
    tone = peak * np.sin(np.arange(RATE // 2) * 0.3)
    soundfile.write(path, tone, RATE, subtype="FLOAT")


def run(lines, *more):
    folder = lines.parent
    systems = [f"good={folder}/good", f"quiet={folder}/quiet"]
    score([str(lines), *systems, "--output", f"{folder}/out", *more])
    with open(folder / "out/scores.csv", newline="") as f:
        return list(csv.DictReader(f))


def test_command(lines, judged, capsys):
    rows = run(lines, "--players", "1", "--vocoder", "none")
    found = {(row["system"], row["name"]): row for row in rows}
    assert len(rows) == 5 * 3
    assert (
        found["good", "a"]["word_edits"] == "0" and found["good", "a"]["words"] == "3"
    )
    assert found["quiet", "a"]["word_edits"] == "1"
    assert float(found["quiet", "a"]["similarity"]) == 0.6
    assert float(found[RECORDING, "b"]["naturalness"]) == pytest.approx(2.2, abs=0.01)
    out = capsys.readouterr().out
    assert "| good | 3 | 11.1 (0.0 to 33.3)" in out and "| 0.250 |" in out
    page = (lines.parent / "out/index.html").read_text()
    assert page.count("<audio") == 6
    scored, heard = load_sections(lines.parent / "out/sections.json")
    assert all(clip.audio in page for clip in heard.rows[0].clips)
    assert [row[0] for row in scored.tables[0].rows][:2] == [RECORDING, COPY]
    asked = FakeJudge.asked
    run(lines, "--vocoder", "none")
    assert FakeJudge.asked == asked


def test_copies_by_a_codec_of_another_rate(lines, judged):
    pytest.importorskip("espnet2")
    sizes = dict(hidden_dim=8, encdec_n_filters=4, encdec_lstm=1)
    architecture = dict(sampling_rate=8000, **sizes)
    codec = NeuralCodec(codec="espnet", architecture=architecture)
    save_features(codec, lines.parent / "codec", {})
    rows = run(lines, "--codec", f"{lines.parent}/codec")
    seconds = {row["seconds"] for row in rows if row["system"] == CODED}
    assert seconds == {row["seconds"] for row in rows if row["system"] == RECORDING}


def test_groups_and_thinning(lines, judged):
    assert {row["name"] for row in run(lines, "--match", "/b.wav")} == {"b"}
    rows = run(lines, "--num_utterances", "1")
    assert {row["name"] for row in rows} == {"a"}
    assert STRANGER not in {row["system"] for row in rows}
    assert {RECORDING, COPY} < {row["system"] for row in rows}


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda f: (f / "quiet/b.wav").unlink(), "lacks 1 of 3 lines, such as b.wav"),
        (lambda f: (f / "lines.tsv").unlink(), "lines.tsv: no such file"),
        (
            lambda f: (f / "lines.tsv").write_text("name\ttext\na\tb\n"),
            "line 2: expected prompt, reference, speaker",
        ),
        (lambda f: (f / "lines.tsv").write_text("name\n"), "found none"),
    ],
)
def test_bad_input(lines, judged, change, message):
    change(lines.parent)
    with pytest.raises(SystemExit, match=message):
        run(lines)


def test_system_without_folder(lines, judged):
    with pytest.raises(SystemExit, match="expected NAME=FOLDER"):
        score([str(lines), "good", "--output", str(lines.parent / "out")])


def test_packages_are_named(lines, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="scores need .*resemblyzer.*: pip install"):
        run(lines)


def make_score(edits, words, similarity):
    return SpeechScore(Errors(edits, words, 0, 1), "", similarity, 3.0, 1.0)


def test_means_weigh_words():
    found = means([make_score(1, 2, 0.4), make_score(0, 8, 0.8)])
    assert found["WER %"].value == 10 and found["WER %"].high == 50
    assert found["similarity"].value == pytest.approx(0.6)
    assert format(found["DistillMOS"], ".2f") == "3.00 (3.00 to 3.00)"


def test_differences_are_paired():
    """A constant difference has no interval, however the scores vary."""
    base = [make_score(k, 10, 0.1 * k) for k in range(8)]
    better = [make_score(k + 1, 10, 0.1 * k + 0.2) for k in range(8)]
    found = means(better, base)
    assert format(found["WER %"], ".1f") == "10.0 (10.0 to 10.0)"
    assert format(found["similarity"], ".3f") == "0.200 (0.200 to 0.200)"


def test_baseline_pairs_the_utterances(lines, judged, capsys):
    """Quiet has one word of three more wrong in a and c, and none in b."""
    run(lines, "--vocoder", "none", "--baseline", "good")
    folder = lines.parent / "out"
    table = (folder / "scores.md").read_text().split("| system | WER, points |")[1]
    found = {x.split(" | ")[0][2:]: x for x in table.splitlines() if " to " in x}
    assert set(found) == {"quiet", RECORDING, COPY, STRANGER}
    assert "| 22.2 (0.0 to 33.3) |" in found["quiet"]
    assert "| 0.0 (0.0 to 0.0) |" in found[RECORDING]
    paired = load_sections(folder / "sections.json")[0].tables[1]
    assert paired.title == "minus good, utterance by utterance"
    assert len(paired.rows) == 4


def test_unknown_baseline_lists_the_systems(lines, judged):
    with pytest.raises(SystemExit, match="--baseline better: expected one of .*good"):
        run(lines, "--vocoder", "none", "--baseline", "better")


def test_strangers_are_of_other_speakers(tmp_path):
    lines = [
        Line(name, reference=f"{name}.wav", speaker=speaker)
        for name, speaker in (("a", "x"), ("b", "x"), ("c", "y"))
    ]
    found = strangers(lines)
    assert found == {"a": "c.wav", "b": "c.wav", "c": "a.wav"}
    assert strangers(lines[:2]) == {}


@pytest.mark.integration
def test_real_judges(tmp_path):
    """Noise is not natural; the same sound is the same voice."""
    for package in NEEDED:
        pytest.importorskip(package)
    rng = np.random.default_rng(0)
    noise = (0.1 * rng.standard_normal(2 * RATE)).astype(np.float32)
    soundfile.write(tmp_path / "noise.wav", noise, RATE, subtype="FLOAT")
    path = str(tmp_path / "noise.wav")
    line = Line("a", "hello", prompt=path, reference=path, speaker="x")
    score = SpeechScorer().score(noise, line)
    assert score.similarity == pytest.approx(1, abs=1e-3)
    assert score.naturalness < 2.5 and score.errors.words == 1
