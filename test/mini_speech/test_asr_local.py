"""The asr1 recipe's own scripts: which texts are kept, and how errors are counted."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

RECIPES = Path(__file__).parents[2] / "egs2/mini_speech"


@pytest.fixture
def script(monkeypatch):
    for recipe in ("ssl1", "asr1"):
        monkeypatch.syspath_prepend(str(RECIPES / recipe / "local"))
    yield importlib.import_module
    for name in ("texts", "score", "subset"):
        sys.modules.pop(name, None)


def run(module, monkeypatch, *argv):
    monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, argv)])
    module.main()


def write_folder(folder, texts):
    folder.mkdir(parents=True)
    tables = {
        "wav.scp": {utt: f"/{utt}.wav" for utt in texts},
        "text": texts,
        "utt2spk": {utt: utt[0] for utt in texts},
        "speech_shape": {utt: 16000 for utt in texts},
    }
    for name, table in tables.items():
        lines = (f"{key} {value}\n" for key, value in table.items())
        (folder / name).write_text("".join(lines))


def test_usable_texts(script, tmp_path, monkeypatch):
    texts = {"a1": "It's on.", "a2": "<unk>", "a3": "Press 5", "b1": "\u00a1S\u00ed!"}
    for split in ("train", "dev", "test"):
        write_folder(tmp_path / "in" / split, texts)
    out = tmp_path / "out"
    run(script("texts"), monkeypatch, tmp_path / "in", out, "--match", "^a")
    assert (out / "train/text").read_text() == "a1 IT'S ON\n"
    assert (out / "dev/wav.scp").read_text() == "a1 /a1.wav\n"
    assert (out / "test/spk2utt").read_text() == "a a1\n"
    left = (out / "left_out.tsv").read_text()
    for reason in ("a2\ttrain\tno text", "digits in the text: Press 5", "b1\tdev\tid"):
        assert reason in left


def test_no_text_at_all(script, tmp_path, monkeypatch):
    write_folder(tmp_path / "in/train", {"a1": "<unk>"})
    with pytest.raises(SystemExit, match="none of 1 utterances has a usable text"):
        run(script("texts"), monkeypatch, tmp_path / "in", tmp_path / "out")


def test_scores_of_seeds_and_groups(script, tmp_path, monkeypatch, capsys):
    """Two runs, one with a wrong word in one group, and a missing hypothesis."""
    files = {
        "ref": "u1 AB CD\nu2 EF GH\n",
        "hyp1": "u1 AB CD\nu2 EF XX\n",
        "hyp2": "u1 AB CD\n",
        "wav.scp": "u1 /near/1.wav\nu2 /far/2.wav\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    options = ["--wav_scp", tmp_path / "wav.scp", "--csv", tmp_path / "out.csv"]
    options += ["--group", "near=/near/", "--group", "far=/far/"]
    hypotheses = [f"ours={tmp_path / name}" for name in ("hyp1", "hyp2")]
    run(script("score"), monkeypatch, tmp_path / "ref", *hypotheses, *options)
    rows = [line.split(",") for line in (tmp_path / "out.csv").read_text().splitlines()]
    floor = [row for row in rows if row[0] == "floor: AB repeated"]
    assert {(row[1], row[4]): row[5] for row in floor}["near", "WER"] == "50.00"
    rates = {(r[1], r[4]): (r[2], float(r[5])) for r in rows if r[0] == "ours"}
    assert rates["near", "WER"] == ("2", 0.0)
    assert rates["far", "WER"] == ("2", 75.0)
    assert rates["far", "CER"] == ("2", 70.0)
    assert rates["all", "WER"] == ("2", 37.5)
    assert "| ours | 2 |" in capsys.readouterr().out


def test_unknown_hypothesis(script, tmp_path, monkeypatch):
    (tmp_path / "ref").write_text("u1 AB\n")
    (tmp_path / "hyp").write_text("u2 AB\n")
    with pytest.raises(SystemExit, match="u2 is not in the reference"):
        run(script("score"), monkeypatch, tmp_path / "ref", f"a={tmp_path / 'hyp'}")


def test_minutes_of_a_folder(script, tmp_path, monkeypatch):
    """Half of forty utterances of a second; the smaller subset is in the larger."""
    write_folder(tmp_path / "in", {f"{n % 4}{n}": "AB" for n in range(40)})
    (tmp_path / "in/alignment").write_text(
        "".join(f"{n % 4}{n} 2 3\n" for n in range(40))
    )
    kept = []
    for seconds in (10, 20):
        out = tmp_path / str(seconds)
        run(script("subset"), monkeypatch, tmp_path / "in", out, seconds / 60)
        kept.append((out / "text").read_text().splitlines())
        assert len((out / "alignment").read_text().splitlines()) == seconds
    assert [len(lines) for lines in kept] == [10, 20]
    assert set(kept[0]) < set(kept[1])
    with pytest.raises(SystemExit, match="holds 0.7 minutes: ask for fewer"):
        run(script("subset"), monkeypatch, tmp_path / "in", tmp_path / "out", 1)
