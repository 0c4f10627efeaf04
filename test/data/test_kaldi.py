"""Tables of data folders."""

from __future__ import annotations

import pytest

from espnet_uniwav.data.kaldi import read_data_folder, read_table


def test_values_may_hold_blanks_or_be_missing(tmp_path):
    (tmp_path / "text").write_text("b  TWO WORDS \n\na\tONE\nc\n", encoding="utf-8")
    table = read_table(tmp_path / "text")
    assert list(table.items()) == [("b", "TWO WORDS"), ("a", "ONE"), ("c", "")]


@pytest.mark.parametrize(
    "content, message",
    [
        (b"a x\nb y\na z\n", "text, line 3: a is in the file twice"),
        ("\ufeffa x\n".encode(), "text, line 1: found a byte order mark"),
        ("a x\nb y\u2028c z\n".encode(), r"text, line 2: found U\+2028"),
        ("a x\u0085b y\n".encode(), r"text, line 1: found U\+0085"),
        (b"a x\nb \xff\n", "text, line 2: expected UTF-8, found the byte 0xff"),
        (b"a x\rb y\n", r"text, line 1: found U\+000D"),
    ],
)
def test_what_programs_read_in_different_ways_is_an_error(tmp_path, content, message):
    (tmp_path / "text").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / "text")


def test_line_ends_of_windows(tmp_path):
    (tmp_path / "text").write_bytes(b"a x\r\nb y z\r\n")
    assert read_table(tmp_path / "text") == {"a": "x", "b": "y z"}


def test_only_blanks_and_tabs_divide(tmp_path):
    (tmp_path / "text").write_text("a\u00a0b \u3000c\n", encoding="utf-8")
    assert read_table(tmp_path / "text") == {"a\u00a0b": "\u3000c"}


def test_a_data_folder_without_utterances(tmp_path):
    (tmp_path / "wav.scp").write_text("\n")
    with pytest.raises(ValueError, match="wav.scp: expected utterances, found none"):
        read_data_folder(tmp_path / "wav.scp")


def test_missing_table(tmp_path):
    with pytest.raises(FileNotFoundError, match="wav.scp is missing"):
        read_table(tmp_path / "wav.scp")
