"""A corpus with good files."""

import pytest
from corpus_case import Result, noise, write

from espnet_uniwav.lab.corpora.prepare import main


@pytest.fixture
def prepare(tmp_path, capsys):
    def run(corpus, *options, out="out"):
        argv = [str(corpus), str(tmp_path / out), "--nj", "2", *map(str, options)]
        status, said = 0, ""
        try:
            main(argv)
        except SystemExit as ended:
            status, said = 1, str(ended.code)
        return Result(tmp_path / out, status, "".join([*capsys.readouterr(), said]))

    return run


@pytest.fixture
def corpus(tmp_path):
    """A folder with four good files, so that one bad file is what is tested."""
    for number in range(4):
        write(tmp_path / f"in/good{number}.wav", noise(0.5, seed=number))
    return tmp_path / "in"
