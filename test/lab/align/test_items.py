"""Items of phone ABX from alignments that are made here."""

import pytest

from espnet_uniwav.apps.phones.ctm import Segment, write_ctm
from espnet_uniwav.lab.align.items import PHONEME, UNITS, Item, main, make_items


def segments(*labels, gap_after=None):
    """Phones of 0.1 s each; 0.1 s is missing after one of them."""
    starts = [i + (gap_after is not None and i > gap_after) for i in range(len(labels))]
    return [Segment(s / 10, (s + 1) / 10, label) for s, label in zip(starts, labels)]


ALIGNMENTS = {
    "a-1": segments("SIL", "AA", "B", "IY", "SIL", "S", "T", "AA"),
    "b-1": segments("K", "AA", "T", "SPN", "AA"),
    "b-2": segments("K", "AA", "T", "S", gap_after=1),
}
SPEAKERS = {"a-1": "a", "b-1": "b", "b-2": "b", "b-3": "b"}


def test_a_triphone_is_a_phone_between_two_others():
    assert make_items(ALIGNMENTS, SPEAKERS) == [
        Item("a-1", 0.1, 0.4, "B", "AA", "IY", "a"),
        Item("a-1", 0.5, 0.8, "T", "S", "AA", "a"),
        Item("b-1", 0.0, 0.3, "AA", "K", "T", "b"),
    ]


def test_a_phoneme_is_the_same_phone_alone():
    triphones, phonemes = (make_items(ALIGNMENTS, SPEAKERS, unit) for unit in UNITS)
    assert [item[3:] for item in phonemes] == [item[3:] for item in triphones]
    assert [item[1:3] for item in phonemes] == [(0.2, 0.3), (0.6, 0.7), (0.1, 0.2)]


def test_utterances_without_a_speaker_are_left_out():
    speakers = {"a-1": "", "b-1": "b"}
    assert [item.file for item in make_items(ALIGNMENTS, speakers, PHONEME)] == ["b-1"]


@pytest.fixture
def folder(tmp_path):
    write_ctm(tmp_path / "phones.ctm", ALIGNMENTS)
    lines = (f"{name} {speaker}\n" for name, speaker in SPEAKERS.items())
    (tmp_path / "utt2spk").write_text("".join(lines))
    return tmp_path


def test_the_file_of_zerospeech(folder, capsys):
    main([str(folder), str(folder), str(folder / "all.item")])
    assert (folder / "all.item").read_text() == (
        "#file onset offset #phone prev-phone next-phone speaker\n"
        "a-1 0.100 0.400 B AA IY a\n"
        "a-1 0.500 0.800 T S AA a\n"
        "b-1 0.000 0.300 AA K T b\n"
    )
    assert capsys.readouterr().out == f"{folder}/all.item: 3 items\n"
    main([str(folder), str(folder), str(folder / "all.item"), "--unit", "phoneme"])
    assert "a-1 0.200 0.300 B AA IY a\n" in (folder / "all.item").read_text()


def test_nothing_to_compare_is_an_error(folder):
    (folder / "utt2spk").write_text("c-1 c\n")
    with pytest.raises(SystemExit, match="phones.ctm: expected phones .*, found none"):
        main([str(folder), str(folder), str(folder / "all.item")])
    assert not (folder / "all.item").exists()
