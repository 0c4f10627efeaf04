"""What is written is whole, stays in its folder, and has one writer."""

import errno
import os
import pkgutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
from full_disk import full_disk

import espnet_uniwav
from espnet_uniwav.io.output import (
    atomic_path,
    atomic_write,
    check_output,
    file_of,
    locked,
    write_text,
)

LONG = "x" * 251 + ".wav"
# Rooms that need neither ESPnet nor S3PRL, and modules of the standard library that
# are not everywhere.
PLAIN = "apps cli core io"
UNIX = ("fcntl", "grp", "pwd", "resource", "termios")


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
    with pytest.raises(KeyError), atomic_write(tmp_path / "a") as file:
        file.write("after")
        raise KeyError
    assert (tmp_path / "a").read_text() == "before"
    assert os.listdir(tmp_path) == ["a"]


def test_a_full_disk_changes_nothing(tmp_path):
    write_text(tmp_path / "a", "before")
    with full_disk(1000), pytest.raises(OSError) as caught:
        write_text(tmp_path / "a", "x" * 100000)
    assert str(caught.value) == f"{tmp_path}/a: cannot be written (File too large)"
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


def test_a_writer_may_wait(tmp_path):
    order, holds = [], threading.Event()

    def hold():
        with locked(tmp_path):
            holds.set()
            time.sleep(0.2)
            order.append("first")

    holder = threading.Thread(target=hold)
    holder.start()
    holds.wait()
    with locked(tmp_path, wait=True):
        order.append("second")
    holder.join()
    assert order == ["first", "second"]


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def flock(*args):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    with locked(tmp_path):
        write_text(tmp_path / "a", "x")
    assert (tmp_path / "a").read_text() == "x"


def test_the_core_needs_nothing_of_unix(tmp_path):
    root = Path(espnet_uniwav.__file__).parent
    found = pkgutil.walk_packages([str(root)], "espnet_uniwav.")
    names = [own.name for own in found if own.name.split(".")[1] in PLAIN.split()]
    assert "espnet_uniwav.io.output" in names
    code = f"""
import importlib, sys
sys.modules.update(dict.fromkeys({UNIX}))
for name in {["espnet_uniwav.core.model", "espnet_uniwav.core.checkpoint", *names]}:
    importlib.import_module(name)
from espnet_uniwav.io.output import locked
with locked({str(tmp_path)!r}):
    try:
        with locked({str(tmp_path)!r}):
            print("two writers")
    except ValueError:
        print("one writer")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "one writer\n", done.stderr


def test_a_link_is_followed(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there/target").write_text("before")
    for name, target in (("a", "there/target"), ("b", "there/new")):
        (tmp_path / name).symlink_to(target)
        check_output(tmp_path / name)
        with atomic_path(tmp_path / name) as partial:
            assert partial.parent == tmp_path / "there"  # of the same file system
            partial.write_text("after")
        assert os.readlink(tmp_path / name) == target
        assert (tmp_path / target).read_text() == "after"
    assert sorted(os.listdir(tmp_path / "there")) == ["new", "target"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_the_mode_is_kept(tmp_path, mode):
    path = tmp_path / "a"
    path.write_text("before")
    path.chmod(mode)
    with atomic_path(path) as partial:
        assert not partial.stat().st_mode & 0o777 & ~(mode | stat.S_IWUSR)
        partial.write_text("after")
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_new_file_has_the_usual_mode(tmp_path):
    with open(tmp_path / "usual", "w"), atomic_path(tmp_path / "a") as partial:
        partial.chmod(0o600)  # as safetensors does
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_a_hard_link_keeps_the_old_content(tmp_path):
    write_text(tmp_path / "a", "before")
    os.link(tmp_path / "a", tmp_path / "b")
    write_text(tmp_path / "a", "after")
    assert (tmp_path / "b").read_text() == "before"


@pytest.fixture
def pipe(tmp_path):
    """A named pipe, and the end to read it from."""
    os.mkfifo(tmp_path / "pipe")
    yield tmp_path / "pipe", os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)


@pytest.mark.parametrize("mode, content", [("w", "\u00e9\n"), ("wb", b"\0\xff")])
def test_a_pipe_is_written_to(pipe, mode, content):
    path, end = pipe
    check_output(path)
    with atomic_write(path, mode) as file:
        file.write(content)
    assert os.read(end, 100) == (content if mode == "wb" else content.encode())
    os.close(end)
    with pytest.raises(OSError, match="pipe: expected a regular file, found a pipe"):
        with atomic_path(path):
            pass
    assert stat.S_ISFIFO(path.stat().st_mode) and os.listdir(path.parent) == ["pipe"]


def test_a_pipe_whose_reader_leaves(pipe):
    path, end = pipe
    with pytest.raises(BrokenPipeError, match="pipe: cannot be written .Broken pipe"):
        with atomic_write(path) as file:
            os.close(end)
            file.write("x" * 10**6)


FULL = pytest.raises(OSError, match="node: cannot be written .No space left on device")


@pytest.mark.parametrize("number, expected", [(3, nullcontext()), (7, FULL)])
def test_a_device_is_written_to(tmp_path, number, expected):
    """Nodes like those of /dev/null and /dev/full."""
    path = tmp_path / "node"
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, number))
        open(path, "w").close()
    except PermissionError:
        pytest.skip("this user may make no devices")
    check_output(path)
    with expected:
        write_text(path, "x")
    assert stat.S_ISCHR(path.stat().st_mode) and os.listdir(tmp_path) == ["node"]


def test_a_socket_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("a")
        for work in (check_output, lambda path: write_text(path, "x")):
            with pytest.raises(OSError, match="^a: expected a file to write, found a"):
                work("a")
    assert stat.S_ISSOCK(os.stat("a").st_mode)


def test_a_name_of_any_length(tmp_path):
    name = "\u00e9" * 127
    check_output(tmp_path / name)
    write_text(tmp_path / name, "x")
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize(
    "name, message",
    [
        ("folder", "expected a file to write, found a folder"),
        (LONG + "x", "cannot be written (File name too long)"),
        ("missing/a.wav", "its folder does not exist; make it first"),
        ("file/a.wav", "cannot be written (Not a directory)"),
        ("loop", "cannot be written (Too many levels of symbolic links)"),
    ],
)
def test_a_file_that_cannot_be_written(tmp_path, name, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(OSError) as caught:
        check_output(tmp_path / name)
    assert str(caught.value) == f"{tmp_path / name}: {message}"
    with pytest.raises(OSError) as caught:
        write_text(tmp_path / name, "x")
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert "partial" not in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize(
    "name, message",
    [
        ("file", "expected a folder to write, found a file"),
        ("file/a/b", "cannot be written (Not a directory)"),
        (LONG + "x", "cannot be written (File name too long)"),
    ],
)
def test_a_folder_that_cannot_be_written(tmp_path, name, message):
    (tmp_path / "file").touch()
    with pytest.raises(OSError) as caught:
        check_output(tmp_path / name, folder=True)
    assert str(caught.value) == f"{tmp_path / name}: {message}"
    check_output(tmp_path / "a/b", folder=True)
    assert os.listdir(tmp_path) == ["file"]


def complaint(case):
    try:
        check_output(*case)
    except PermissionError as error:
        return f"{error}\n"


def test_what_belongs_to_others():
    """Nobody may write to a folder of root's, nor to a file in it."""
    if os.getuid():
        pytest.skip("only root can be somebody else")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = Path(folder, "file")
        path.touch()
        cases = {(path, False): "is read-only", (Path(folder), True): "cannot be"}
        cases[Path(folder, "new"), False] = "cannot be written (Permission denied)"
        reading, writing = os.pipe()
        if not (child := os.fork()):
            try:
                os.setuid(65534)
                os.write(writing, "".join(map(complaint, cases)).encode())
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        said = os.read(reading, 10**4).decode().splitlines()
        assert len(said) == len(cases)
        for (own, _), message, found in zip(cases, cases.values(), said):
            assert found.startswith(f"{own}: {message}")


def test_an_error_of_another_file_names_that(tmp_path):
    with pytest.raises(FileNotFoundError, match="other"):
        with atomic_path(tmp_path / "a"):
            open(tmp_path / "other")
    assert os.listdir(tmp_path) == []
