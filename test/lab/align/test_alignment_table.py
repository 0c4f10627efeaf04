"""Alignments that others made: labels of either case, silences, gaps, errors."""

from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from espnet_uniwav.apps.phones.ctm import Segment
from espnet_uniwav.lab.align.alignment_table import TableAligner

WORDS = [(0.0, 0.25, ""), (0.25, 0.5, "hi"), (0.5, 0.8, "<unk>"), (0.9, 1.2, "sp")]
PHONES = [
    (0.0, 0.25, "sil"),
    (0.25, 0.33, "HH"),
    (0.33, 0.5, "AY1"),
    (0.5, 0.8, "spn"),
    (0.9, 1.0, ""),
    (1.0, 1.25, "sp"),
]
UNITS = ["SIL", "HH", "AY", "SPN", "SIL", "SIL", "SIL"]


def write(path, words=WORDS, phones=PHONES, name="s1-u1"):
    tiers = (("words", words), ("phones", phones), ("pitch", [(0, 1, "high")]))
    rows = [(name, tier, *map(str, row)) for tier, rows in tiers for row in rows]
    rows = [("utt", "tier", "start", "end", "label"), *rows]
    path.write_text("".join("\t".join(row) + "\n" for row in rows))
    return path


@pytest.fixture
def align(tmp_path):
    path = tmp_path / "audio.wav"
    soundfile.write(path, np.zeros(20000), 16000)

    def align(*tiers, text="HI YOU"):
        aligner = TableAligner(write(tmp_path / "a.tsv", *tiers))
        utterance = SimpleNamespace(name="s1-u1", path=path, text=text)
        return aligner(utterance)

    return align


@pytest.mark.parametrize("change", [str, str.lower, str.upper])
def test_labels_and_times(align, change):
    words, phones = ([(*t, change(x)) for *t, x in rows] for rows in (WORDS, PHONES))
    found = align(words, phones)
    assert found.words == [Segment(0.25, 0.5, "HI"), Segment(0.5, 0.8, "YOU")]
    assert [s.label for s in found.units] == UNITS
    assert found.units[0].start == 0 and found.units[-1].end == 1.25
    assert all(a.end == b.start for a, b in zip(found.units, found.units[1:]))
    assert found.units[4] == Segment(0.8, 0.9, "SIL")


def test_words_of_another_text_stay(align):
    assert [w.label for w in align(text="HELLO YOU").words] == ["hi", "<unk>"]
    assert [w.label for w in align(text="HI").words] == ["hi", "<unk>"]


def test_ipa_stays(align):
    phones = [(0, 0.5, "b"), (0.5, 1, "t\u0283"), (1, 1.25, "sil")]
    assert [s.label for s in align(WORDS, phones).units] == ["b", "t\u0283", "SIL"]


def test_lines_in_any_order(align):
    assert align(WORDS[::-1], PHONES[::-1]) == align()


@pytest.mark.parametrize(
    "words, phones, said",
    [
        ([], PHONES, "s1-u1: expected words, found none"),
        (WORDS, [], "s1-u1: expected phones, found none"),
        (WORDS, PHONES[:-1], "expected 1.250 s as the audio, found 1.000 s"),
        (WORDS, [(0, 0.5, "B"), (0.4, 1.25, "D")], "a.tsv: s1-u1: 'D' starts at 0.4"),
        ([(0, 1, "a b")], PHONES, "a name without blanks: 'a b'"),
        ([("x", 1, "a")], PHONES, "a.tsv, line 2: expected start in seconds"),
    ],
)
def test_what_is_wrong_is_named(align, words, phones, said):
    with pytest.raises(ValueError, match=said):
        align(words, phones)


def test_utterances_of_the_table_and_of_the_data(tmp_path):
    aligner = TableAligner(write(tmp_path / "a.tsv"))
    with pytest.raises(ValueError, match="a.tsv has no line of it"):
        aligner(SimpleNamespace(name="s2-u1", path="", text=""))
    assert list(aligner.unused()) == ["s1-u1"]


def test_no_table(tmp_path):
    with pytest.raises(FileNotFoundError, match="a.tsv: no such file"):
        TableAligner(tmp_path / "a.tsv")
    (tmp_path / "a.tsv").write_text("utt\tstart\n")
    with pytest.raises(ValueError, match="expected the columns utt, .*found utt, s"):
        TableAligner(tmp_path / "a.tsv")
