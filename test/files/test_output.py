"""What is written is whole, stays in its folder, and has one writer."""

from __future__ import annotations

import os
import resource
import signal
import threading
from contextlib import contextmanager

import pytest

from espnet_uniwav.files.output import file_of, locked, whole_file, write_text


@contextmanager
def full_disk(size):
    """No file of this process can grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["a", "s1-b.c", "\u00e9 \u4e2d", "..a", "~", "-x"])
def test_names_of_files(tmp_path, name):
    path = file_of(tmp_path, name, ".wav")
    assert path.parent == tmp_path and path.name == f"{name}.wav"
    write_text(path, "x")
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.wav"]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "/x", "a/b", "a\\b", "a\0b", "a\nb", "x" * 300]
)
def test_names_that_escape(tmp_path, name):
    with pytest.raises(ValueError, match="expected an id that can be the name"):
        file_of(tmp_path, name, ".wav")


def test_an_error_changes_nothing(tmp_path):
    write_text(tmp_path / "a", "before")
    with pytest.raises(KeyError), whole_file(tmp_path / "a") as file:
        file.write("after")
        raise KeyError
    assert (tmp_path / "a").read_text() == "before"
    assert os.listdir(tmp_path) == ["a"]


def test_a_full_disk_changes_nothing(tmp_path):
    write_text(tmp_path / "a", "before")
    with full_disk(1000), pytest.raises(OSError, match="File too large"):
        write_text(tmp_path / "a", "x" * 100000)
    assert (tmp_path / "a").read_text() == "before"
    assert os.listdir(tmp_path) == ["a"]


def test_of_two_writers_one_wins(tmp_path):
    texts = [letter * 100000 for letter in "ab"]
    writers = [
        threading.Thread(target=write_text, args=(tmp_path / "a", text))
        for text in texts * 10
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert (tmp_path / "a").read_text() in texts
    assert os.listdir(tmp_path) == ["a"]


def test_a_folder_has_one_writer(tmp_path):
    with locked(tmp_path):
        with pytest.raises(ValueError, match="another process writes to it"):
            with locked(tmp_path):
                pass
    with locked(tmp_path):
        pass
    assert os.listdir(tmp_path) == []


def test_a_folder_in_the_way_is_named(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(IsADirectoryError, match="a: expected a file to write"):
        write_text(tmp_path / "a", "x")
