"""Commands of a wav.scp: run for their audio, and for nothing else."""

import pickle
import shlex
from pathlib import Path

import numpy as np
import pytest
import soundfile

from espnet_uniwav.io.audio import read_speech, seconds_of
from espnet_uniwav.io.kaldi import read_data_folder
from espnet_uniwav.io.pipe import ALLOW, Pipe


@pytest.fixture(autouse=True)
def allowed(monkeypatch):
    monkeypatch.setenv(ALLOW, "1")


@pytest.fixture
def wav(tmp_path):
    path = tmp_path / "two words.wav"
    samples = np.random.default_rng(0).integers(-3000, 3000, 8000).astype(np.int16)
    soundfile.write(path, samples, 16000)
    return path


def read_one(tmp_path, entry):
    (tmp_path / "wav.scp").write_text(f"a {entry}\n")
    (utterance,) = read_data_folder(tmp_path / "wav.scp")
    return utterance.path


@pytest.mark.parametrize("end", ["|", " |", "  | "])
def test_a_command_is_read_like_its_file(wav, tmp_path, end):
    pipe = read_one(tmp_path, f"cat {shlex.quote(str(wav))}{end}")
    pipe = pickle.loads(pickle.dumps(pipe))  # as processes get it
    assert isinstance(pipe, Pipe)
    assert seconds_of(pipe) == 0.5
    assert np.array_equal(read_speech(pipe, 16000), read_speech(wav, 16000))
    assert len(read_speech(pipe, 8000)) == 4000


def test_several_commands_and_slashes(wav, tmp_path):
    command = f"echo http://x > /dev/null; cat {shlex.quote(str(wav))} | cat - |"
    assert read_one(tmp_path, command) == command
    assert seconds_of(read_one(tmp_path, command)) == 0.5


def test_a_stream_of_unknown_length(wav, tmp_path):
    """Sox and ffmpeg cannot write the length into the header of a stream."""
    data = bytearray(wav.read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    (tmp_path / "stream").write_bytes(data)
    pipe = read_one(tmp_path, f"cat {tmp_path / 'stream'} |")
    assert seconds_of(pipe) == 0.5
    assert np.array_equal(read_speech(pipe, 16000), read_speech(wav, 16000))


@pytest.mark.parametrize(
    "command, reason",
    [
        ("cat /nothing/there.wav |", "exit 1, .*No such file"),
        ("true |", "exit 0, no output"),
        ("no-such-program x.sph |", "exit 127, .*not found"),
        ("echo hello |", "cannot be read as audio"),
    ],
)
def test_a_bad_command_is_named(tmp_path, command, reason):
    pipe = read_one(tmp_path, command)
    for read in (seconds_of, lambda pipe: read_speech(pipe, 16000)):
        with pytest.raises(ValueError, match=reason) as caught:
            read(pipe)
        assert str(caught.value).startswith(command)


@pytest.mark.parametrize("value", [None, "", "0", "yes"])
def test_commands_are_off_unless_allowed(tmp_path, monkeypatch, value):
    mark = tmp_path / "mark"
    command = f"touch {mark} |"
    pipe = read_one(tmp_path, command)
    monkeypatch.delenv(ALLOW)
    if value is not None:
        monkeypatch.setenv(ALLOW, value)
    for read in (Pipe.read, seconds_of, lambda pipe: read_speech(pipe, 16000)):
        with pytest.raises(ValueError, match=f"commands are off: set {ALLOW}=1"):
            read(pipe)
    table = f"a a.wav\n\n b\t{command}\nc {command}\n"
    (tmp_path / "wav.scp").write_text(table)
    with pytest.raises(ValueError, match="wav.scp, line 3: .*, one of 2;") as caught:
        read_data_folder(tmp_path / "wav.scp")
    assert repr(command) in str(caught.value) and ALLOW in str(caught.value)
    assert not mark.exists()


def test_only_a_table_runs_commands(tmp_path):
    mark = tmp_path / "mark"
    with pytest.raises(FileNotFoundError, match=f"touch {mark} > FILE.wav"):
        read_speech(f"touch {mark} |", 16000)
    with pytest.raises(FileNotFoundError):
        seconds_of(Path(f"touch {mark} |"))
    assert not isinstance(read_one(tmp_path, f"touch {mark} | x"), Pipe)
    assert not mark.exists()


@pytest.mark.parametrize("entry", ["", "|"])
def test_an_entry_without_a_path(tmp_path, entry):
    with pytest.raises(ValueError, match="wav.scp: a: expected the path"):
        read_one(tmp_path, entry)
