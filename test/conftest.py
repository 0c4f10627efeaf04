"""What every test starts from: one thread, a fixed seed, tiny speech."""

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")  # also of what the tests start

import pytest
import torch
from factories import make_speech, save_model

from espnet_uniwav.io import folder as storage

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def argv(monkeypatch):
    """``uniwav`` changes the process's arguments, which ESPnet-EZ reads."""
    monkeypatch.setattr(sys, "argv", sys.argv[:1])


@pytest.fixture
def speech():
    """(2, S) samples and their lengths, the second utterance padded with zeros."""
    return make_speech([4000, 2500])


@pytest.fixture
def packaged(tmp_path, monkeypatch):
    """A tiny model that comes with the package, under the name ``tiny-test``."""
    monkeypatch.setattr(storage, "PACKAGED", tmp_path / "models")
    model = save_model(tmp_path / "models/tiny-test")
    return model


@pytest.fixture
def prepare(tmp_path, capsys):
    """Prepares a corpus in this process."""
    from corpus_case import Result

    from espnet_uniwav.lab.corpora.prepare import main

    def run(corpus, *options, out="out"):
        argv = [str(corpus), str(tmp_path / out), "--nj", "2", *map(str, options)]
        status, said = 0, ""
        try:
            main(argv)
        except SystemExit as ended:
            status, said = 1, str(ended.code)
        return Result(tmp_path / out, status, "".join([*capsys.readouterr(), said]))

    return run
