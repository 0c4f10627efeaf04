"""Libri-Light's long recordings become segments."""

import importlib
import json
import sys

import pytest
from corpus_case import noise, write
from factories import ROOT

from espnet_uniwav.io.kaldi import read_table

LOCAL = ROOT / "egs2/librilight/ssl1/local"


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(LOCAL))
    yield importlib.import_module("librilight")
    sys.modules.pop("librilight", None)


def add(corpus, speaker, name, seconds, activity):
    path = corpus / "small" / speaker / "book" / f"{name}.flac"
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, noise(seconds))
    if activity is not None:
        described = {"voice_activity": activity}
        path.with_suffix(".json").write_text(json.dumps(described))


def run(module, monkeypatch, *argv):
    monkeypatch.setattr(sys, "argv", ["librilight", *map(str, argv)])
    module.main()


def test_segments(module, monkeypatch, tmp_path, capsys):
    corpus = tmp_path / "corpus"
    for speaker in ("1", "2", "3"):
        add(corpus, speaker, "a", 9.0, [[0.5, 2.0], [2.5, 4.0], [4.2, 9.5]])
    add(corpus, "1", "quiet", 2.0, [])
    add(corpus, "1", "alone", 2.0, None)
    run(module, monkeypatch, corpus, tmp_path / "out", "--max_seconds", 4.0)
    said = capsys.readouterr().out
    assert "2 of 5 recordings skipped" in said
    skipped = (tmp_path / "out/skipped.tsv").read_text()
    assert "quiet.json has no voice_activity" in skipped
    assert "alone.json is missing" in skipped
    train, dev = (tmp_path / "out" / name for name in ("train", "dev"))
    speakers = [set(read_table(d / "utt2spk").values()) for d in (train, dev)]
    assert [len(own) for own in speakers] == [2, 1]
    assert not speakers[0] & speakers[1]
    segments = read_table(dev / "segments")
    (recording,) = read_table(dev / "wav.scp")
    spans = [value.split() for value in segments.values()]
    assert [own[0] for own in spans] == [recording] * 3
    assert [own[1:] for own in spans] == [
        ["0.50", "4.00"],
        ["4.20", "6.60"],
        ["6.60", "9.00"],
    ]
    for table in ("segments", "utt2spk", "text"):
        names = list(read_table(train / table))
        assert names == sorted(names) and len(names) == 6


def test_short_stretches_are_left_out(module):
    assert list(module.cut([(0.0, 1.0), (40.0, 43.0)], 30.0, 2.0)) == [(40.0, 43.0)]
    assert list(module.cut([(0.0, 60.0)], 30.0, 2.0)) == [(0.0, 30.0), (30.0, 60.0)]


def test_nothing_there(module, monkeypatch, tmp_path):
    with pytest.raises(SystemExit, match="PART/SPEAKER/BOOK/NAME.flac"):
        run(module, monkeypatch, tmp_path, tmp_path / "out")


def test_nothing_usable_is_an_error(module, monkeypatch, tmp_path):
    for speaker in ("1", "2"):
        add(tmp_path / "corpus", speaker, "alone", 2.0, None)
    with pytest.raises(SystemExit, match="2 of 2 recordings skipped: .*skipped.tsv"):
        run(module, monkeypatch, tmp_path / "corpus", tmp_path / "out")
