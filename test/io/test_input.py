import pytest

from espnet_uniwav.io.input import error_context, read_yaml


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


@pytest.mark.parametrize("error", [TypeError, KeyError, ZeroDivisionError, ValueError])
def test_errors_name_the_file(error):
    with pytest.raises(ValueError, match="^a.yaml: .*why"), error_context("a.yaml"):
        raise error("why")
    with pytest.raises(OSError, match="why"), error_context("a.yaml"):
        raise OSError("why")
