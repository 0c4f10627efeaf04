"""Libri-Light's long recordings become segments."""

import json

import pytest
from corpus_case import noise, write

from espnet_uniwav.io.kaldi import read_table

SCRIPT = "librilight/ssl1/local/librilight.py"


def add(corpus, speaker, name, seconds, activity):
    path = corpus / "small" / speaker / "book" / f"{name}.flac"
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, noise(seconds))
    if activity is not None:
        described = {"voice_activity": activity}
        path.with_suffix(".json").write_text(json.dumps(described))


def test_segments(run_script, tmp_path):
    corpus = tmp_path / "corpus"
    for speaker in ("1", "2", "3"):
        add(corpus, speaker, "a", 9.0, [[0.5, 2.0], [2.5, 4.0], [4.2, 9.5]])
    add(corpus, "1", "quiet", 2.0, [])
    add(corpus, "1", "alone", 2.0, None)
    said = run_script(SCRIPT, corpus, tmp_path / "out", "--max_seconds", 4.0)
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


def test_short_stretches_are_left_out(script):
    cut = script(SCRIPT).cut
    assert list(cut([(0.0, 1.0), (40.0, 43.0)], 30.0, 2.0)) == [(40.0, 43.0)]
    assert list(cut([(0.0, 60.0)], 30.0, 2.0)) == [(0.0, 30.0), (30.0, 60.0)]


def test_nothing_usable_is_an_error(run_script, tmp_path):
    with pytest.raises(SystemExit, match="PART/SPEAKER/BOOK/NAME.flac"):
        run_script(SCRIPT, tmp_path, tmp_path / "out")
    for speaker in ("1", "2"):
        add(tmp_path / "corpus", speaker, "alone", 2.0, None)
    with pytest.raises(SystemExit, match="2 of 2 recordings skipped: .*skipped.tsv"):
        run_script(SCRIPT, tmp_path / "corpus", tmp_path / "out")
