"""Fixtures that run the recipe's scripts in this process."""

from __future__ import annotations

import importlib
import sys

import pytest
from corpus_case import LOCAL, Result, noise, write


@pytest.fixture(scope="module", autouse=True)
def modules():
    """Imports the recipe's scripts the way `python local/data.py` would."""
    sys.path.insert(0, str(LOCAL))
    yield {name: importlib.import_module(name) for name in ("data", "asterisk")}
    sys.path.remove(str(LOCAL))
    for name in ("data", "asterisk", "corpus", "decode", "split"):
        sys.modules.pop(name, None)


@pytest.fixture
def prepare(modules, tmp_path, capsys):
    def run(corpus, *options, out="out"):
        argv = [str(corpus), str(tmp_path / out), "--nj", "2", *map(str, options)]
        status = modules["data"].main(argv)
        return Result(tmp_path / out, status, "".join(capsys.readouterr()))

    return run


@pytest.fixture
def corpus(tmp_path):
    """A folder with four good files, so that one bad file is what is tested."""
    for number in range(4):
        write(tmp_path / f"in/good{number}.wav", noise(0.5, seed=number))
    return tmp_path / "in"
