"""Recordings that are no files: pipes, and entries of Kaldi's archives."""

import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
import soundfile
from corpus_case import noise, write, write_kaldi

from espnet_uniwav.io.audio import rate_of, read_speech, seconds_of
from espnet_uniwav.io.kaldi import read_data_folder, read_table
from espnet_uniwav.io.pipe import Pipe
from espnet_uniwav.io.source import Stretch, as_source, stamp


@pytest.fixture
def wav(tmp_path):
    samples = np.random.default_rng(0).integers(-3000, 3000, 8000).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 16000)
    return tmp_path / "a.wav"


@pytest.fixture
def fill(tmp_path):
    """Makes a named pipe into which a file is written once."""
    writers = []

    def make(content, name="fifo"):
        os.mkfifo(tmp_path / name)
        writer = threading.Thread(
            target=(tmp_path / name).write_bytes, args=(content,), daemon=True
        )
        writer.start()
        writers.append(writer)
        return tmp_path / name

    yield make
    for writer in writers:
        writer.join(5)


def test_a_pipe_is_read_once_for_all_readers(wav, fill, tmp_path):
    expected = read_speech(wav, 16000)
    fifo = fill(wav.read_bytes())
    (tmp_path / "wav.scp").write_text(f"a {fifo}\n")
    (utterance,) = read_data_folder(tmp_path / "wav.scp")
    path = pickle.loads(pickle.dumps(utterance.path))
    assert seconds_of(path) == 0.5 and str(path) == str(fifo)
    np.testing.assert_array_equal(read_speech(path, 16000), expected)
    np.testing.assert_array_equal(
        read_speech(Stretch(path, 0.25), 16000), expected[4000:]
    )


def test_a_pipe_named_on_the_command_line(wav, fill):
    np.testing.assert_array_equal(
        read_speech(fill(wav.read_bytes()), 16000), read_speech(wav, 16000)
    )


def test_a_pipe_of_a_process(wav):
    """As the shell makes one of ``<(command)``."""
    ends = os.pipe()
    os.write(ends[1], wav.read_bytes())
    os.close(ends[1])
    try:
        assert len(read_speech(f"/dev/fd/{ends[0]}", 16000)) == 8000
    finally:
        os.close(ends[0])


def test_an_empty_pipe_is_named(fill):
    with pytest.raises(ValueError, match="fifo: expected audio, found 0 bytes"):
        read_speech(fill(b""), 16000)


def test_standard_input(wav):
    code = (
        "from espnet_uniwav.io.audio import read_speech\n"
        "print(len(read_speech('/dev/stdin', 16000)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=wav.read_bytes(), capture_output=True
    )
    assert done.stdout == b"8000\n", done.stderr


def test_a_table_may_be_a_pipe(fill, wav):
    fifo = fill(f"a {wav}\n".encode(), "table")
    assert read_table(fifo) == {"a": str(wav)}


@pytest.fixture
def archive(tmp_path):
    """An archive as ESPnet's recipes and Kaldi write them, and features."""
    from kaldiio import save_ark

    speech = np.random.default_rng(1).integers(-3000, 3000, (3, 4000)).astype(np.int16)
    ark, scp = str(tmp_path / "data.ark"), str(tmp_path / "wav.scp")
    more = dict(scp=scp, append=True)
    flac = dict(write_function="soundfile", write_kwargs={"format": "flac"})
    save_ark(ark, {"wav": (8000, speech[0])}, scp=scp)
    save_ark(ark, {"flac": (speech[1], 8000)}, **more, **flac)
    save_ark(ark, {"last": (8000, speech[2])}, **more)
    save_ark(ark, {"x": np.zeros((2, 3), np.float32)}, **more)
    return {
        name: own / np.float32(32768)
        for name, own in zip(("wav", "flac", "last"), speech)
    }


def test_entries_of_an_archive(archive, tmp_path):
    found = {u.name: u.path for u in read_data_folder(tmp_path / "wav.scp")}
    for name, expected in archive.items():
        path = pickle.loads(pickle.dumps(found[name]))
        assert seconds_of(path) == 0.5 and rate_of(path) == 8000
        np.testing.assert_array_equal(read_speech(path, 8000), expected)
        np.testing.assert_array_equal(read_speech(str(path), 8000), expected)
    with pytest.raises(ValueError, match=r"data.ark:\d+: no recording: expected wav"):
        read_speech(found["x"], 8000)
    for place in (10**9, 1):
        with pytest.raises(ValueError, match="no recording: expected wav or flac"):
            read_speech(f"{tmp_path}/data.ark:{place}", 8000)
    with pytest.raises(FileNotFoundError, match="gone.ark:5: no such audio file"):
        read_speech(f"{tmp_path}/gone.ark:5", 8000)


def test_a_name_that_looks_like_an_entry_is_a_file(wav, tmp_path):
    path = tmp_path / "a.wav:12"
    path.write_bytes(wav.read_bytes())
    assert as_source(str(path)) == path and seconds_of(path) == 0.5


def test_a_corpus_of_archives(archive, tmp_path, prepare):
    lines = (tmp_path / "wav.scp").read_text().splitlines()
    entries = [line.replace(f"{tmp_path}/", "") for line in lines]
    write_kaldi(tmp_path / "in", **{"wav_scp": entries})
    (tmp_path / "data.ark").rename(tmp_path / "in/data.ark")
    result = prepare(tmp_path / "in", "--min_seconds", 0.2)
    assert result.skipped() == {"x": "no recording"}
    assert "3 from an archive" in result.words
    assert set(result.wavs) == set(archive)


def test_a_corpus_with_a_pipe(fill, tmp_path, prepare):
    lines = [
        f"good{i} {write(tmp_path / f'{i}.wav', noise(0.5, seed=i))}" for i in range(3)
    ]
    fifo = fill((tmp_path / "0.wav").read_bytes())
    write_kaldi(tmp_path / "in", **{"wav_scp": [*lines, f"piped {fifo}"]})
    result = prepare(tmp_path / "in")
    assert result.skipped() == {} and "1 from a pipe" in result.words
    kept = soundfile.read(result.wavs["piped"])[0]
    np.testing.assert_allclose(kept, noise(0.5), atol=1e-4)


def test_stamps_change_with_the_recording(wav, tmp_path):
    before = stamp(wav)
    assert (
        before == stamp(wav) != stamp(Stretch(wav, 0, 1)) != stamp(Stretch(wav, 0, 2))
    )
    os.utime(wav, (1, 1))
    assert stamp(wav) != before
    assert stamp(tmp_path / "gone") == stamp(Stretch(tmp_path / "gone", 0)) == ""
    assert stamp(Pipe("a |")) != stamp(Pipe("b |"))
