"""Tables of data folders."""

from __future__ import annotations

import pytest

from espnet_uniwav.kaldi import read_table


def test_values_may_hold_blanks_or_be_missing(tmp_path):
    (tmp_path / "text").write_text("b  TWO WORDS \n\na\tONE\nc\n", encoding="utf-8")
    table = read_table(tmp_path / "text")
    assert list(table.items()) == [("b", "TWO WORDS"), ("a", "ONE"), ("c", "")]


def test_missing_table(tmp_path):
    with pytest.raises(FileNotFoundError, match="wav.scp is missing"):
        read_table(tmp_path / "wav.scp")
