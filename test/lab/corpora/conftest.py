"""Fixtures that prepare corpora in this process."""

from __future__ import annotations

import pytest
from corpus_case import Result, noise, write

from espnet_uniwav.lab.corpora.prepare import main


@pytest.fixture
def prepare(tmp_path, capsys):
    def run(corpus, *options, out="out"):
        argv = [str(corpus), str(tmp_path / out), "--nj", "2", *map(str, options)]
        status = main(argv)
        return Result(tmp_path / out, status, "".join(capsys.readouterr()))

    return run


@pytest.fixture
def corpus(tmp_path):
    """A folder with four good files, so that one bad file is what is tested."""
    for number in range(4):
        write(tmp_path / f"in/good{number}.wav", noise(0.5, seed=number))
    return tmp_path / "in"
