"""Every command on broken and hostile input: a message or success, and nothing else.

``FUZZ=10000 pytest test/fuzz`` tries so many inputs; a failure names its seed.
"""

from __future__ import annotations

import math
import os
import random
import shutil
import signal
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("espnet2")
pytest.importorskip("s3prl")
from mutate import change_bytes, change_words, mutate
from world import COMMANDS, make_world, remove

from espnet_uniwav.integrations.s3prl.archive import unpack
from espnet_uniwav.io.pipe import ALLOW

COUNT = int(os.environ.get("FUZZ", 100))
LONGEST = 60


class Hang(BaseException):
    """Not an Exception, which the commands may catch."""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz") / "parent" / "world"
    return make_world(folder)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Where the commands run: an output may be named by a relative path.

    A changed name may be that of a model on the hub: nothing is asked there.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.delenv(ALLOW, raising=False)


@contextmanager
def alarm(seconds):
    def ring(*_):
        raise Hang(f"more than {seconds} s")

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def snapshot(folder: Path, out: Path) -> dict:
    """Path -> time and size of all that no command may touch."""
    files = {}
    for top, _, names in os.walk(folder):
        for path in (Path(top), *(Path(top, name) for name in names)):
            inside = path == out or out in path.parents
            if not inside and path != out.parent:
                info = path.lstat()
                files[path] = (info.st_mtime_ns if path.is_file() else 0, info.st_size)
    return files


def call(command, words: list[str]) -> str:
    """Run a command; the message it ends with, empty if it succeeds."""
    try:
        with alarm(LONGEST):
            command.main(words)
    except SystemExit as end:
        assert end.code, "stopped without a message"
        return end.code if isinstance(end.code, str) else "usage"
    return ""


def check(command, words: list[str], world: Path, canary: Path, place: str) -> str:
    """Call a command and look for all that must not happen."""
    out = world.parent / "out/put"
    before = snapshot(world.parent, out)
    try:
        message = call(command, [w.replace("OUT", str(out)) for w in words])
    except BaseException as error:
        shown = f"{type(error).__name__}: {error}"
        raise AssertionError(f"{place}: {words} ended with {shown}") from error
    finally:
        remove(out)
    lines = message.split("\n")
    assert all(line.startswith("  ") for line in lines[1:]), f"{place}: {message!r}"
    assert not canary.exists(), f"{place}: executed"
    assert snapshot(world.parent, out) == before, f"{place}: wrote elsewhere"
    assert not Path("/tmp/escaped-uniwav.wav").exists(), f"{place}: escaped"
    return message


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_work_as_they_are(world, name):
    (world.parent / "out").mkdir(exist_ok=True)
    words = COMMANDS[name].words(world)
    message = check(COMMANDS[name], words, world, world / "canary", name)
    ends = COMMANDS[name].ends
    assert message.startswith(ends) and bool(message) == bool(ends), message


@pytest.mark.parametrize("name", ["export", "cluster", "codec"])
def test_checkpoints_name_no_folder_of_the_machine(world, tmp_path, name):
    out = tmp_path / "out"
    words = [word.replace("OUT", str(out)) for word in COMMANDS[name].words(world)]
    assert not call(COMMANDS[name], words)
    assert list(out.iterdir())
    for path in out.rglob("*.*"):
        for folder in (world, tmp_path):
            assert str(folder).encode() not in path.read_bytes(), path


@pytest.mark.parametrize("name", COMMANDS)
def test_fuzz(world, name):
    command, canary = COMMANDS[name], world / "canary"
    (world.parent / "out").mkdir(exist_ok=True)
    ends = set()
    for number in range(math.ceil(command.share * COUNT / len(COMMANDS))):
        place = f"{name}/{number}"
        rng = random.Random(place)
        words = command.words(world)
        if rng.random() < 0.25:
            ends.add(check(command, change_words(words, rng), world, canary, place))
            continue
        path = world / rng.choice(command.files)
        kept = path.with_name(f"{path.name}.kept")
        shutil.copy2(path, kept)
        try:
            mutate(path, rng, canary)
            ends.add(check(command, words, world, canary, f"{place} ({path.name})"))
        finally:
            kept.replace(path)
    assert any(ends) or COUNT < 1000


def test_fuzz_archives(world, tmp_path):
    """What ``uniwav_url`` unpacks."""
    archives = [
        Path(shutil.make_archive(str(tmp_path / "a"), kind, world / "model"))
        for kind in ("zip", "tar", "gztar", "xztar")
    ]
    before = snapshot(tmp_path, tmp_path / "out/put")
    for number in range(-(-COUNT // 20)):
        rng = random.Random(f"archive/{number}")
        path = rng.choice(archives)
        content = path.read_bytes()
        broken = tmp_path / "out" / path.name
        broken.parent.mkdir(exist_ok=True)
        broken.write_bytes(change_bytes(content, rng))
        try:
            with alarm(LONGEST):
                unpack(broken, tmp_path / "out/put")
        except ValueError as error:
            assert str(error), number
        broken.unlink()
        remove(tmp_path / "out")
        assert snapshot(tmp_path, tmp_path / "out/put") == before, number
