"""Features on disk; ``integrations/espnet/test_extract.py`` makes and reads them."""

import hashlib
import os

import numpy as np
import pytest
from factories import make_features

from espnet_uniwav.core.features.stored import (
    FeatureWriter,
    check_stored,
    file_checksum,
)

TABLES = "feats.scp", "feats_shape", "checksums"


def test_a_checksum_needs_no_python_3_11(tmp_path, monkeypatch):
    monkeypatch.delattr(hashlib, "file_digest", raising=False)
    (tmp_path / "a").write_bytes(b"abc" * 10**6)
    expected = hashlib.sha256(b"abc" * 10**6).hexdigest()
    assert file_checksum(tmp_path / "a") == expected


def write(folder, names, stale=()):
    """Write archives of two utterances each."""
    with FeatureWriter(folder, make_features().spec, 2, stale) as writer:
        done = writer.done
        for name in names:
            writer.write(name, np.full((3, 12), ord(name[-1]), np.float32))
    return done


def read(folder):
    return {name: (folder / name).read_text() for name in TABLES}


@pytest.mark.parametrize("shards", [1, 8])
def test_tables_are_not_rewritten_for_every_archive(tmp_path, monkeypatch, shards):
    """Cost is linear in the corpus: each table is replaced once, then appended to."""
    replaced, replace = [], os.replace
    monkeypatch.setattr(
        os,
        "replace",
        lambda a, b: (replaced.append(os.path.basename(b)), replace(a, b)),
    )
    write(tmp_path, [f"utt{i}" for i in range(2 * shards)])
    assert sorted(replaced) == sorted([*TABLES, "spec.yaml"])
    assert read(tmp_path)["checksums"].count("\n") == shards


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("cut", [1, 5, 40])
def test_what_a_kill_leaves_is_finished(tmp_path, table, cut):
    """Rows reach the tables in the order of TABLES: any of them may be cut."""
    write(tmp_path / "whole", "abcdef")
    out = tmp_path / "out"
    write(out, "abcd")
    before = read(out)
    with FeatureWriter(out, make_features().spec, 2) as writer:
        writer.write("e", np.zeros((3, 12), np.float32))
        writer.write("f", np.zeros((3, 12), np.float32))
    after = read(out)
    for name in TABLES[TABLES.index(table) + 1 :]:
        (out / name).write_text(before[name])
    added = after[table][len(before[table]) :]
    (out / table).write_text(before[table] + added[: min(cut, len(added) - 1)])
    check_stored(out)
    assert write(out, "ef") == set("abcd")
    check_stored(out)
    for name in TABLES:
        expected = read(tmp_path / "whole")[name]
        assert read(out)[name].replace(f"{out}/", "") == expected.replace(
            f"{tmp_path}/whole/", ""
        )


def test_stale_features_leave_the_tables(tmp_path):
    write(tmp_path, "abc")
    assert write(tmp_path, "b", stale=["b", "x"]) == {"a", "c"}
    names = [row.split()[0] for row in read(tmp_path)["feats.scp"].splitlines()]
    assert names == ["a", "c", "b"]
    check_stored(tmp_path)
