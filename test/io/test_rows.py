import os

import pytest
from full_disk import full_disk

from espnet_uniwav.io.rows import append_rows, complete_rows, keep_rows


@pytest.fixture
def table(tmp_path):
    return tmp_path / "table"


def test_rows_are_appended(table):
    append_rows(table, "a 1\n")
    append_rows(table, "b\u00a0c 2\nd 3\n")
    assert list(complete_rows(table)) == ["a 1", "b\u00a0c 2", "d 3"]


def test_half_a_row_is_none(table):
    assert list(complete_rows(table)) == []
    table.write_text("a 1\n\nb 2")
    assert list(complete_rows(table)) == ["a 1"]
    table.write_bytes("a 1\nb \u00e9".encode()[:-1])
    assert list(complete_rows(table)) == ["a 1"]


def test_rows_are_kept_by_name(table):
    table.write_text("a 1\nb 2\nc 3\nb")
    keep_rows(table, {"a", "c"}.__contains__)
    assert table.read_text() == "a 1\nc 3\n"
    keep_rows(table.with_name("new"), bool)
    assert table.with_name("new").read_text() == ""


def test_a_full_disk_leaves_the_table_as_it_was(table):
    append_rows(table, "a 1\n")
    message = f"^{table}: cannot be written .File too large.$"
    with pytest.raises(OSError, match=message), full_disk(10000):
        append_rows(table, "b 2\n" * 10**4)
    assert table.read_text() == "a 1\n"


def test_a_table_that_cannot_be_read_is_named(table):
    table.write_bytes(b"a 1\n\xff 2\n")
    before = os.listdir(table.parent)
    with pytest.raises(ValueError, match=f"{table}, line 2: expected UTF-8"):
        keep_rows(table, bool)
    assert os.listdir(table.parent) == before
