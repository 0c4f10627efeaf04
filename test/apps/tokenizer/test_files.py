"""Codes on disk, whole or interrupted."""

import tracemalloc

import numpy as np
import pytest
from full_disk import full_disk

from espnet_uniwav.apps.tokenizer.files import (
    FORMATS,
    CodeWriter,
    count_stored,
    read_codes,
    read_speakers,
)

CODES = {"b": np.array([[1, 2, 3], [4, 5, 6]]), "a": np.array([[0], [1023]])}


def write(folder, names, form="text"):
    with CodeWriter(folder, 2, form) as writer:
        for name in names:
            writer.write(name, CODES[name])
        return writer.done


@pytest.mark.parametrize("form", FORMATS)
def test_round_trip_and_resume(tmp_path, form):
    assert write(tmp_path, ["b"], form) == set()
    assert write(tmp_path, ["a"], form) == {"b"}
    found = read_codes(tmp_path)
    assert set(found) == {"a", "b"}
    for name, codes in found.items():
        assert np.array_equal(codes, CODES[name])


@pytest.mark.parametrize("form", FORMATS)
def test_voices_stand_beside_the_codes(tmp_path, form):
    voices = {"b": np.array([0, 3, 1]), "a": np.array([2, 2, 0])}
    for name in CODES:
        with CodeWriter(tmp_path, 2, form, {}, 3) as writer:
            writer.write(name, CODES[name], voices[name])
    found = read_speakers(tmp_path)
    assert set(found) == set(voices) == set(read_codes(tmp_path))
    for name, voice in found.items():
        assert np.array_equal(voice, voices[name])
    write(tmp_path / "none", ["b"], form)
    assert read_speakers(tmp_path / "none") == {}


def test_broken_voices_are_named(tmp_path):
    write(tmp_path, ["b"])
    (tmp_path / "voices").write_text("b 1 x\n")
    with pytest.raises(ValueError, match="voices: b: expected whole numbers"):
        read_speakers(tmp_path)


def test_text_is_what_kaldi_tables_are(tmp_path):
    write(tmp_path, ["b", "a"])
    assert (tmp_path / "codes_1").read_text() == "b 1 2 3\na 0\n"
    assert (tmp_path / "codes_2").read_text() == "b 4 5 6\na 1023\n"


@pytest.mark.parametrize("form", FORMATS)
def test_names_may_hold_other_spaces_than_blanks(tmp_path, form):
    names = ("b\u00a0x", "b\u3000y", "\u2003b")
    with CodeWriter(tmp_path, 2, form) as writer:
        for name in names[:2]:
            writer.write(name, CODES["b"])
    with CodeWriter(tmp_path, 2, form) as writer:
        assert writer.done == set(names[:2])
        writer.write(names[2], CODES["a"])
    found = read_codes(tmp_path)
    assert found.keys() == set(names)
    assert np.array_equal(found[names[0]], CODES["b"])


@pytest.mark.parametrize("form", FORMATS)
def test_stale_codes_are_removed(tmp_path, form):
    write(tmp_path, ["b", "a"], form)
    with CodeWriter(tmp_path, 2, form, stale=["b", "unknown"]) as writer:
        assert (writer.done, writer.stale) == ({"a"}, {"b"})
        assert set(read_codes(tmp_path)) == {"a"}
        writer.write("b", CODES["a"])
    assert np.array_equal(read_codes(tmp_path)["b"], CODES["a"])


@pytest.mark.parametrize("torn", ["a 0\n", "a 0", "a"])
def test_half_written_utterances_are_taken_away(tmp_path, torn):
    write(tmp_path, ["b"])
    with open(tmp_path / "codes_1", "a") as f:
        f.write(torn)
    assert write(tmp_path, ["a"]) == {"b"}
    assert (tmp_path / "codes_1").read_text() == "b 1 2 3\na 0\n"


def test_broken_tables_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="codes_1"):
        read_codes(tmp_path)
    write(tmp_path, ["b", "a"])
    (tmp_path / "codes_2").write_text("b 4 5 6\na x\n")
    with pytest.raises(ValueError, match="a: expected as many whole numbers"):
        read_codes(tmp_path)
    (tmp_path / "codes_2").write_text("b 4 5\na 7\n")
    with pytest.raises(ValueError, match="b: expected as many whole numbers"):
        read_codes(tmp_path)


@pytest.mark.parametrize("form", FORMATS)
def test_a_folder_of_another_tokenizer_is_refused(tmp_path, form):
    with CodeWriter(tmp_path, 2, form, {"weights": "a"}) as writer:
        writer.write("b", CODES["b"])
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="are of another tokenizer: .* found a"):
        CodeWriter(tmp_path, 2, form, {"weights": "b"})
    other = FORMATS[1 - FORMATS.index(form)]
    with pytest.raises(ValueError, match=f"format: expected {other}, found {form}"):
        CodeWriter(tmp_path, 2, other, {"weights": "a"})
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir()}


@pytest.mark.parametrize("name", ["../x", "/x", ""])
def test_names_stay_in_the_folder(tmp_path, name):
    folder = tmp_path / "codes"
    with CodeWriter(folder, 2, "npz") as writer:
        with pytest.raises(ValueError, match="expected an id that can be the name"):
            writer.write(name, CODES["b"])
    assert [path.name for path in tmp_path.iterdir()] == ["codes"]


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"\x93NUMPY", b"x" * 99])
def test_broken_archives_are_named(tmp_path, content):
    write(tmp_path, ["b"], "npz")
    (tmp_path / "b.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"b.npz: expected codes"):
        read_codes(tmp_path)


@pytest.mark.parametrize("form", FORMATS)
def test_codes_are_counted(tmp_path, form):
    assert not count_stored(tmp_path, 2, 1024).any()
    write(tmp_path, ["b"], form)
    write(tmp_path, ["a"], form)
    found = count_stored(tmp_path, 2, 1024)
    assert found.shape == (2, 1024)
    assert found[0].nonzero()[0].tolist() == [0, 1, 2, 3]
    assert found[1].nonzero()[0].tolist() == [4, 5, 6, 1023]
    assert found.sum() == 8


@pytest.mark.parametrize("form", FORMATS)
def test_memory_does_not_grow_with_the_codes(tmp_path, form):
    """Opening a folder, writing and counting hold one utterance at a time."""

    def peak(number):
        codes = np.full((2, 2000), 1023)
        tracemalloc.start()
        for start in (0, number // 2):  # the second run resumes
            with CodeWriter(tmp_path / f"{number}", 2, form) as writer:
                for i in range(start, start + number // 2):
                    writer.write(f"utt{i}", codes)
        count_stored(tmp_path / f"{number}", 2, 1024)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert peak(40) < 1.2 * peak(10)


def test_a_full_disk_is_named(tmp_path):
    (tmp_path / "out").mkdir()
    message = f"^{tmp_path}/out: cannot be written .File too large.$"
    with pytest.raises(OSError, match=message):
        with CodeWriter(tmp_path / "out", 2) as writer, full_disk(10000):
            writer.write("a", np.zeros((2, 20000), int))
