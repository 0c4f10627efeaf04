"""Configurations of unknown origin."""

from __future__ import annotations

import pytest

from espnet_uniwav.io.input import error_context, read_rows, read_yaml


@pytest.mark.parametrize(
    "content, said",
    [
        (b"a: [", "expected yaml, found"),
        (b"", "expected a mapping, found NoneType"),
        (b"- 1", "expected a mapping, found list"),
        (b"a: \xff", "expected yaml"),
        (b"a: !!python/name:os.system", "could not determine a constructor"),
        (b"a: " + b"[" * 9000, "expected yaml, found"),
        (b"a: 2001-99-99", "expected yaml"),
        (b"? {a: 1}\n: 2", "expected yaml"),
    ],
)
def test_broken_yaml(tmp_path, content, said):
    (tmp_path / "a.yaml").write_bytes(content)
    with pytest.raises(ValueError, match=f"a.yaml: .*{said}") as error:
        read_yaml(tmp_path / "a.yaml")
    assert "\n" not in str(error.value)


def test_rows_have_their_lines(tmp_path):
    (tmp_path / "a.csv").write_bytes('\ufeffa,b\n"x\ny",2\n3\n'.encode())
    columns, rows = read_rows(tmp_path / "a.csv")
    assert columns == ["a", "b"] and rows[0][1] == {"a": "x\ny", "b": "2"}
    assert rows[1] == (f"{tmp_path / 'a.csv'}, line 4", {"a": "3", "b": None})
    (tmp_path / "a.csv").write_text("a,b\n1,2,\n3,4,,5\n")
    with pytest.raises(
        ValueError, match=r"line 3: expected the cells a, b, .*'5'.*','"
    ):
        read_rows(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("a\n" + "x" * 200000)
    with pytest.raises(ValueError, match="a.csv, line 2: field larger"):
        read_rows(tmp_path / "a.csv")


@pytest.mark.parametrize("error", [TypeError, KeyError, ZeroDivisionError, ValueError])
def test_errors_name_the_file(error):
    with pytest.raises(ValueError, match="^a.yaml: .*why"), error_context("a.yaml"):
        raise error("why")
    with pytest.raises(OSError, match="why"), error_context("a.yaml"):
        raise OSError("why")
