import pytest
from corpus_case import noise, write


@pytest.fixture
def corpus(tmp_path):
    """A folder with four good files, so that one bad file is what is tested."""
    for number in range(4):
        write(tmp_path / f"in/good{number}.wav", noise(0.5, seed=number))
    return tmp_path / "in"
