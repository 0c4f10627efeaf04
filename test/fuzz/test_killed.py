"""Commands that are killed, or run out of disk, lose nothing that they had done.

``KILLS=20 pytest test/fuzz`` kills every command at so many random moments. Trainings
are killed in ``test/tasks/test_safe_training.py``.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("espnet2")
from world import COMMANDS, make_world, remove

from espnet_uniwav.apps.tokenizer.files import read_codes
from espnet_uniwav.core.checkpoint import load_checkpoint
from espnet_uniwav.core.features.stored import check_stored
from espnet_uniwav.io.folder import read_config, read_weights

KILLS = int(os.environ.get("KILLS", 2))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("killed") / "world")


def start(name: str, world: Path, out: Path, size: int | None = None) -> int:
    """Run a command in a process of its own, with files of at most ``size`` bytes."""
    words = [w.replace("OUT", str(out)) for w in COMMANDS[name].words(world)]
    if pid := os.fork():
        return pid
    status = 1
    try:
        if size is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1), os.dup2(null, 2)
        COMMANDS[name].main(words)
        status = 0
    except SystemExit as end:
        status = 2 if isinstance(end.code, str) else 3
    finally:
        os._exit(status)  # never back into the tests


def finish(pid: int) -> int:
    """Exit status; 1 is a traceback, 2 a message, negative a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def read_text_codes(out: Path) -> dict:
    """Codes of the utterances that stand whole in both tables."""
    tables = []
    for path in (out / "codes_1", out / "codes_2"):
        lines = path.read_bytes().split(b"\n")[:-1] if path.is_file() else []
        tables.append({line.split()[0]: line for line in lines})
    first, second = tables
    return {name: (first[name], second[name]) for name in first if name in second}


def read_archives(out: Path) -> dict:
    """Utterances of whole archives, with their features."""
    from kaldiio import load_scp

    if not (out / "checksums").is_file():
        return {}
    check_stored(out)
    whole = {line.split()[1] for line in (out / "checksums").read_text().splitlines()}
    places = dict(line.split() for line in (out / "feats.scp").read_text().splitlines())
    known = load_scp(str(out / "feats.scp"))
    return {
        name: np.array(known[name]).tobytes()
        for name, place in places.items()
        if Path(place.rpartition(":")[0]).name in whole
    }


def read_wavs(out: Path) -> dict:
    """Every wav file, which must be whole."""
    found = {}
    for path in out.glob("*.wav"):
        info = soundfile.info(path)
        assert info.frames and path.stat().st_size == 44 + 2 * info.frames
        found[path.name] = path.read_bytes()
    return found


def read_model(out: Path) -> dict:
    """Shapes of a checkpoint's tensors, if it says that it is one."""
    if not (out / "config.yaml").is_file():
        return {}
    read_config(out)
    weights = read_weights(out)
    assert all(x.isfinite().all() for x in weights.values())
    return {name: tuple(x.shape) for name, x in weights.items()}


def read_npz(out: Path) -> dict:
    """Codes of every file, which must be whole."""
    if not list(out.glob("*.npz")):
        return {}
    return {name: codes.tobytes() for name, codes in read_codes(out).items()}


READERS = {
    "tokenize": read_text_codes,
    "tokenize npz": read_npz,
    "extract": read_archives,
    "detokenize": read_wavs,
    "tts lines": read_wavs,
    "export": read_model,
    "cluster": read_model,
}


@pytest.mark.parametrize("name", READERS)
def test_killed(world, tmp_path, name):
    read = READERS[name]
    start_time = time.perf_counter()
    assert finish(start(name, world, tmp_path / "whole")) == 0
    spent = time.perf_counter() - start_time
    expected = read(tmp_path / "whole")
    assert expected
    rng, out = random.Random(name), tmp_path / "out"
    for _ in range(KILLS):
        before = read(out)
        pid = start(name, world, out)
        time.sleep(rng.uniform(0, spent))
        os.kill(pid, signal.SIGKILL)
        finish(pid)
        after = read(out)
        assert before.items() <= after.items() <= expected.items()
        if len(after) == len(expected):
            remove(out)
    assert finish(start(name, world, out)) == 0
    assert read(out) == expected


@pytest.mark.parametrize("name", READERS)
def test_full_disk(world, tmp_path, name):
    read, out = READERS[name], tmp_path / "out"
    assert finish(start(name, world, tmp_path / "whole")) == 0
    sizes = sorted(p.stat().st_size for p in (tmp_path / "whole").rglob("*.*"))
    for size in (0, 1, sizes[-1] // 2, sizes[-1] - 1):
        before = read(out)
        status = finish(start(name, world, out, size))
        assert status in (0, 2), f"{size} bytes: ended with {status}"
        after = read(out)
        assert before.items() <= after.items()
    assert finish(start(name, world, out)) == 0
    assert read(out) == read(tmp_path / "whole")
    assert not list(out.rglob(".*.partial"))


@pytest.mark.parametrize("name", READERS)
def test_two_at_once(world, tmp_path, name):
    """One wins, and what it writes is whole; the other one wins too, or says so."""
    out = tmp_path / "out"
    pids = [start(name, world, out) for _ in range(2)]
    statuses = sorted(map(finish, pids))
    assert statuses in ([0, 0], [0, 2])
    assert finish(start(name, world, tmp_path / "alone")) == 0
    assert READERS[name](out) == READERS[name](tmp_path / "alone")


def test_an_export_replaces_an_older_one(world, tmp_path):
    """A full disk leaves the old checkpoint as it was."""
    out = tmp_path / "out"
    assert finish(start("cluster", world, out)) == 0
    before = read_model(out)
    assert finish(start("export", world, out, 1000)) == 2
    assert read_model(out) == before
    with pytest.raises(ValueError, match="found one of the kind tokenizer"):
        load_checkpoint(out)
