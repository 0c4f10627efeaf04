import pickle

import numpy as np
import pytest
import soundfile

from espnet_uniwav.io.audio import as_file, read_speech, seconds_of
from espnet_uniwav.io.kaldi import read_data_folder, read_table, refuse_segments
from espnet_uniwav.io.pipe import ALLOW


@pytest.mark.parametrize(
    "content, expected",
    [
        ("b  TWO WORDS \n\na\tONE\nc\n", {"b": "TWO WORDS", "a": "ONE", "c": ""}),
        ("a x\r\nb y z\r\n", {"a": "x", "b": "y z"}),
        ("a\u00a0b \u3000c\n", {"a\u00a0b": "\u3000c"}),
    ],
)
def test_what_is_read_of_a_table(tmp_path, content, expected):
    """Only blanks and tabs divide; values may hold blanks or be missing."""
    (tmp_path / "text").write_bytes(content.encode())
    assert list(read_table(tmp_path / "text").items()) == list(expected.items())


@pytest.mark.parametrize(
    "content, message",
    [
        (b"a x\nb y\na z\n", "text, line 3: a is in the file twice"),
        ("\ufeffa x\n".encode(), "text, line 1: found a byte order mark"),
        ("a x\nb y\u2028c z\n".encode(), r"text, line 2: found U\+2028"),
        ("a x\u0085b y\n".encode(), r"text, line 1: found U\+0085"),
        (b"a x\nb \xff\n", "text, line 2: expected UTF-8, found the byte 0xff"),
        (b"a x\rb y\n", r"text, line 1: found U\+000D"),
    ],
)
def test_what_programs_read_in_different_ways_is_an_error(tmp_path, content, message):
    (tmp_path / "text").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / "text")


def test_a_data_folder_without_utterances(tmp_path):
    (tmp_path / "wav.scp").write_text("\n")
    with pytest.raises(ValueError, match="wav.scp: expected utterances, found none"):
        read_data_folder(tmp_path / "wav.scp")


def test_missing_table(tmp_path):
    with pytest.raises(FileNotFoundError, match="wav.scp is missing"):
        read_table(tmp_path / "wav.scp")


@pytest.fixture
def whole(tmp_path):
    """Two recordings of two seconds, one by a command, at 8 kHz."""
    samples = np.random.default_rng(0).integers(-3000, 3000, 16000).astype(np.int16)
    soundfile.write(tmp_path / "r.flac", samples, 8000)
    command = f"cat {tmp_path}/r.flac |"
    (tmp_path / "wav.scp").write_text(f"r {tmp_path}/r.flac\nq {command}\n")
    (tmp_path / "utt2spk").write_text("r-1 anna\nr-2 anna\nq-1 ben\n")
    (tmp_path / "text").write_text("r-2 TWO WORDS\n")
    return samples.astype(np.float32) / 32768


def read_segments(tmp_path, text):
    (tmp_path / "segments").write_text(text)
    return {u.name: u for u in read_data_folder(tmp_path / "wav.scp")}


def test_utterances_are_segments(tmp_path, whole, monkeypatch):
    monkeypatch.setenv(ALLOW, "1")
    found = read_segments(tmp_path, "r-1 r 0 0.5\nr-2\tr 0.5 1.25\nq-1 q 1.5 -1\n")
    spans = {"r-1": (0, 4000), "r-2": (4000, 10000), "q-1": (12000, 16000)}
    assert list(found) == list(spans)
    assert (found["r-2"].speaker, found["r-2"].text) == ("anna", "TWO WORDS")
    for name, (start, end) in spans.items():
        path = pickle.loads(pickle.dumps(found[name].path))  # as processes get it
        assert seconds_of(path) == (end - start) / 8000
        np.testing.assert_array_equal(read_speech(path, 8000), whole[start:end])
        assert len(read_speech(path, 16000)) == 2 * (end - start)
        file = as_file(path, tmp_path / "cut", name)
        np.testing.assert_array_equal(read_speech(file, 8000), whole[start:end])


@pytest.mark.parametrize(
    "line, said",
    [
        ("x r 0", "expected `utterance recording start end`, found 'r 0'"),
        ("x r 0 1 2", "expected `utterance recording start end`"),
        ("x r zero 1", "expected `utterance recording start end`"),
        ("x s 0 1", "expected a recording of wav.scp, found 's'"),
        ("x r 1 0.5", "expected a start from 0 s on and a later end, found 1 to 0.5"),
        ("x r 1 1", "expected a start from 0 s on and a later end"),
        ("x r -1 1", "expected a start from 0 s on and a later end"),
        ("x r nan 1", "expected a start from 0 s on and a later end"),
        ("x r 0 inf", "expected a start from 0 s on and a later end"),
        ("x r 1e300 -1", "expected a start from 0 s on and a later end"),
        ("r-1 r 0 1", "r-1 is in the file twice"),
    ],
)
def test_bad_segments_are_named(tmp_path, whole, monkeypatch, line, said):
    monkeypatch.setenv(ALLOW, "1")
    with pytest.raises(ValueError, match=f"segments, line 2: {said}"):
        read_segments(tmp_path, f"r-1 r 0 1\n{line}\n")


def test_segments_behind_the_end(tmp_path, whole, monkeypatch, caplog):
    monkeypatch.setenv(ALLOW, "1")
    found = read_segments(tmp_path, "a r 1 2.05\nb r 1 3\nc r 2.5 3\n")
    for name, warns in (("a", 0), ("b", 1)):
        assert seconds_of(found[name].path) == 1.0
        np.testing.assert_array_equal(read_speech(found[name].path, 8000), whole[8000:])
        assert len(caplog.records) == warns
    assert "segments says 16000 samples, found 8000" in caplog.text
    for read in (seconds_of, lambda path: read_speech(path, 8000)):
        said = "r.flac, from 2.5 s to 3 s: .* recording lasts 2.00 s: correct segments"
        with pytest.raises(ValueError, match=said):
            read(found["c"].path)


def test_segments_belong_to_wav_scp(tmp_path, whole, monkeypatch, caplog):
    monkeypatch.setenv(ALLOW, "1")
    read_segments(tmp_path, "a r 0 1\n")
    (tmp_path / "voices.scp").write_text(f"a {tmp_path}/r.flac\n")
    (utterance,) = read_data_folder(tmp_path / "voices.scp")
    assert utterance.path == tmp_path / "r.flac"
    assert "segments belongs to wav.scp: not to" in caplog.text
    with pytest.raises(ValueError, match="segments: expected a file for every"):
        refuse_segments(tmp_path)
