import pytest

from espnet_uniwav.io.tables import TSV, markdown, read_rows, write_csv, write_tsv


def test_rows_have_their_lines(tmp_path):
    (tmp_path / "a.csv").write_bytes('\ufeffa,b\n"x\ny",2\n3\n'.encode())
    columns, rows = read_rows(tmp_path / "a.csv")
    assert columns == ["a", "b"] and rows[0][1] == {"a": "x\ny", "b": "2"}
    assert rows[1] == (f"{tmp_path / 'a.csv'}, line 4", {"a": "3", "b": ""})
    (tmp_path / "a.csv").write_text("a,b\n1,2,\n3,4,,5\n")
    with pytest.raises(
        ValueError, match=r"line 3: expected the cells a, b, .*'5'.*','"
    ):
        read_rows(tmp_path / "a.csv")
    with pytest.raises(ValueError, match="a.csv: expected .* a, c, .*found a, b; add"):
        read_rows(tmp_path / "a.csv", ("a", "c"))
    (tmp_path / "a.csv").write_text("a\n" + "x" * 200000)
    with pytest.raises(ValueError, match="a.csv, line 2: field larger"):
        read_rows(tmp_path / "a.csv")


def test_written_csv_has_all_columns(tmp_path):
    write_csv(tmp_path / "a.csv", [{"a": 1}, {"b": 'x,"y'}])
    columns, rows = read_rows(tmp_path / "a.csv")
    assert columns == ["a", "b"]
    assert [row for _, row in rows] == [{"a": "1", "b": ""}, {"a": "", "b": 'x,"y'}]


def test_written_tsv_has_a_line_per_row(tmp_path):
    write_tsv(tmp_path / "a.tsv", ("a", "b"), [('"x\ty', "1\n2"), ("", 3)])
    _, rows = read_rows(tmp_path / "a.tsv", **TSV)
    assert [row for _, row in rows] == [{"a": '"x y', "b": "1 2"}, {"a": "", "b": "3"}]


def test_markdown():
    assert markdown(("a", "b"), [("x", 1)]) == "| a | b |\n|---|---|\n| x | 1 |"
