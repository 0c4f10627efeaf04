"""transcripts.tsv: what it may leave out, and what is refused."""

import numpy as np
import pytest
import soundfile

from espnet_uniwav.io.kaldi import hash_share
from espnet_uniwav.lab.corpora.decode import Piece
from espnet_uniwav.lab.corpora.split import assign_splits
from espnet_uniwav.lab.corpora.transcripts import (
    Transcript,
    describe,
    read_transcripts,
    write_transcripts,
)

ROW = Transcript("s-a", "s", "/in/a.wav", 1.25, "HELLO YOU", "train", "x")


def test_round_trip(tmp_path):
    rows = [ROW, Transcript("s-b", "s", "/in/b.wav", 2.0, "", "dev", "y")]
    path = write_transcripts(tmp_path / "new/out", rows)
    assert path == tmp_path / "new/out/transcripts.tsv"
    assert read_transcripts(path.parent) == rows
    assert list(path.parent.iterdir()) == [path]


def test_columns_that_may_be_missing(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 16000)
    (tmp_path / "transcripts.tsv").write_text("path\tsplit\na.wav\tdev\n")
    (row,) = read_transcripts(tmp_path)
    path = str(tmp_path / "a.wav")
    assert row == Transcript("a", "a", path, 0.5, "", "dev", tmp_path.name)


@pytest.mark.parametrize(
    "table, said",
    [
        ("utt\tpath\na\tb\n", "expected the columns path, split.*add split"),
        ("path\tsplit\na.wav\tvalid\n", "line 2: expected train, dev or .*'valid'"),
        ("path\tsplit\n\ttrain\n", "line 2: expected a path"),
        ("path\tsplit\tseconds\na\ttrain\tx\n", "line 2: expected seconds, found 'x'"),
        ("path\tsplit\na.wav\ttrain\n", "a.wav: no such audio file"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, table, said):
    (tmp_path / "transcripts.tsv").write_text(table)
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        read_transcripts(tmp_path)


def test_no_table(tmp_path):
    with pytest.raises(FileNotFoundError, match="transcripts.tsv: no such file"):
        read_transcripts(tmp_path)


def test_description():
    rows = [
        Transcript(str(i), "s", "", 360.0, "", "train", f"x{i % 6}") for i in range(10)
    ]
    train, dev, test = describe(rows).splitlines()
    assert train.split()[:6] == ["train", "10", "utterances", "1.00", "h", "1"]
    assert train.endswith("and 1 more sources") and "x0 2, " in train
    assert dev.split()[:2] == ["dev", "0"] and test.split()[:2] == ["test", "0"]


def test_shares_never_change():
    assert hash_share("1088") == pytest.approx(0.6159171, abs=1e-6)
    assert 0.45 < np.mean([hash_share(str(i)) for i in range(1000)]) < 0.55


def test_a_sentence_is_in_one_split():
    def piece(utt, text):
        return Piece(utt, "speaker", text, "", utt, f"{utt}.wav", 16000)

    pieces = [piece(f"u{i}", f"Sentence {i % 20}{'.' * (i % 3)}") for i in range(60)]
    splits = {}
    for own in assign_splits(pieces, {"dev": 0.1, "test": 0.2}):
        splits.setdefault(own.split, []).append(int(own.utt[1:]) % 20)
    assert {name: len(set(of)) for name, of in splits.items()} == {
        "train": 14,
        "dev": 2,
        "test": 4,
    }
    assert sum(len(of) for of in splits.values()) == 60
