"""A tiny checkpoint, and S3PRL's cache in a folder of the test."""

import pytest
from factories import save_model


@pytest.fixture
def make_checkpoint(tmp_path):
    """Write a tiny checkpoint; arguments as for ``make_model``."""

    def make(name="checkpoint", **overrides):
        folder = tmp_path / name
        save_model(folder, **overrides)
        return folder

    return make


@pytest.fixture
def checkpoint(make_checkpoint):
    return make_checkpoint()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    from s3prl.util import download

    monkeypatch.setattr(download, "_download_dir", tmp_path / "cache")
    return tmp_path / "cache"
