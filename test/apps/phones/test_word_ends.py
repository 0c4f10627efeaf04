"""Marks at the ends of words, and what models make of them."""

from espnet_uniwav.apps.phones.ctm import Segment, write_ctm
from espnet_uniwav.apps.phones.word_ends import (
    is_marked,
    mark_last,
    mark_word_ends,
    phone_numbers,
    unmarked,
)
from espnet_uniwav.lab.align.write_durations import main

PHONES = [
    Segment(0.0, 0.04, "SIL"),
    Segment(0.04, 0.1, "AH"),
    Segment(0.1, 0.2, "K"),
    Segment(0.2, 0.301, "AH"),
    Segment(0.301, 0.36, "SIL"),
]
WORDS = [Segment(0.04, 0.1, "a"), Segment(0.1, 0.301, "cu")]


def test_last_phones_of_words_are_marked():
    labels = [phone.label for phone in mark_word_ends(PHONES, WORDS)]
    assert labels == ["SIL", "AH_E", "K", "AH_E", "SIL"]
    assert mark_word_ends(PHONES, []) == PHONES
    assert mark_last(["K", "AH"]) == ["K", "AH_E"] and mark_last([]) == []
    assert [unmarked(label) for label in labels] == [p.label for p in PHONES]


def test_silences_have_no_mark():
    """Also where a word lasts to the end of a silence."""
    words = [Segment(0.0, 0.04, "hm"), Segment(0.1, 0.36, "cu")]
    assert mark_word_ends(PHONES, words) == PHONES


def test_tokens_of_one_phone():
    tokens = ["<blank>", "AH_E", "AH", "K", "SIL", "<sos/eos>"]
    assert phone_numbers(tokens) == [0, 1, 1, 2, 3, 4]
    assert [is_marked(token) for token in tokens] == [False, True, *[False] * 4]


def test_written_durations_have_marks(tmp_path, capsys):
    (tmp_path / "speech_shape").write_text("a 5760\n")
    write_ctm(tmp_path / "phones.ctm", {"a": PHONES})
    arguments = [str(tmp_path)] * 2 + ["--token_list", str(tmp_path / "list")]
    main(arguments)
    assert (tmp_path / "phones").read_text() == "a SIL AH K AH SIL\n"
    write_ctm(tmp_path / "words.ctm", {"a": WORDS})
    main(arguments)
    assert (tmp_path / "phones").read_text() == "a SIL AH_E K AH_E SIL\n"
    assert (tmp_path / "durations").read_text() == "a 2 3 5 6 2\n"
    tokens = (tmp_path / "list").read_text().split()
    assert tokens == ["<blank>", "<unk>", "AH", "AH_E", "K", "SIL", "<sos/eos>"]
