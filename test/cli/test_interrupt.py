"""Ctrl-C ends a command with one line, and leaves nothing behind."""

import argparse
import os
import signal
import subprocess
import sys
import time

import pytest

from espnet_uniwav.cli.command import INTERRUPTED, run_command

SCRIPT = """
import argparse, time
from functools import partial
from pathlib import Path
from espnet_uniwav.cli.command import run_command
from espnet_uniwav.io.jobs import process_all
from espnet_uniwav.io.output import atomic_write

def write(phase, path):
    with atomic_write(path) as file:
        file.write("begun")
        file.flush()
        while phase == "work":
            time.sleep(0.01)

def prepare(folder, phase):
    (folder / "preparing").touch()
    while phase == "prepare":
        time.sleep(0.01)
    return partial(write, phase)

def run(folder, phase, num_workers):
    items = {f"{number}": folder / f"{number}.txt" for number in range(40)}
    ready = partial(prepare, folder, phase)
    for own in process_all(ready, items, num_workers):
        if phase == "result":
            (folder / "preparing").rename(folder / "result")
            time.sleep(60)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="some")
    parser.add_argument("folder", type=Path)
    parser.add_argument("phase")
    parser.add_argument("num_workers", type=int)
    run_command(parser, run)
"""
WAIT = 120  # seconds, on a busy machine
SIGNS = {"prepare": "preparing", "work": ".*.partial", "result": "result"}


@pytest.mark.parametrize("phase", SIGNS)
@pytest.mark.parametrize("num_workers", [0, 2])
def test_one_line_and_nothing_left(tmp_path, num_workers, phase):
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "out").mkdir()
    command = [sys.executable, "script.py", "out", phase, str(num_workers)]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=hear,
    )
    try:
        wait_for(lambda: process.poll() or list((tmp_path / "out").glob(SIGNS[phase])))
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to all processes
        _, said = process.communicate(timeout=WAIT)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert said.decode() == "some: interrupted\n"
    assert process.returncode == INTERRUPTED
    assert not list((tmp_path / "out").glob(".*.partial"))
    wait_for(lambda: not lives(process.pid))


def test_an_import_that_takes_it_for_another_error(capsys):
    def work():
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(60)
        except KeyboardInterrupt:
            raise ImportError("Error importing numpy") from None

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(SystemExit) as caught:
            run_command(argparse.ArgumentParser(prog="some"), work, [])
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert caught.value.code == INTERRUPTED
    assert capsys.readouterr().err == "some: interrupted\n"


def hear() -> None:
    """Hear Ctrl-C, which a shell hides from what it starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def lives(group) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition) -> None:
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
