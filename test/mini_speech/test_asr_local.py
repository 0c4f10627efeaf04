"""The asr1 recipe's own scripts: how errors are counted."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

LOCAL = Path(__file__).parents[2] / "egs2/mini_speech/asr1/local"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(LOCAL))
    yield importlib.import_module
    sys.modules.pop("score", None)


def run(module, monkeypatch, *argv):
    monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, argv)])
    module.main()


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
