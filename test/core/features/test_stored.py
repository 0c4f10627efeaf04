"""Features on disk; ``test/tasks/test_extract.py`` makes and reads them."""

import hashlib

from espnet_uniwav.core.features.stored import file_checksum


def test_a_checksum_needs_no_python_3_11(tmp_path, monkeypatch):
    monkeypatch.delattr(hashlib, "file_digest", raising=False)
    (tmp_path / "a").write_bytes(b"abc" * 10**6)
    expected = hashlib.sha256(b"abc" * 10**6).hexdigest()
    assert file_checksum(tmp_path / "a") == expected
