"""Checkpoints on the web: downloads, caches, and malicious archives."""

import gzip
import hashlib
import os
import shutil
import tarfile
import threading
import time
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

pytest.importorskip("s3prl")
from espnet_uniwav.integrations.s3prl import archive
from espnet_uniwav.integrations.s3prl.archive import fetch_checkpoint, unpack
from espnet_uniwav.integrations.s3prl.hubconf import uniwav_local, uniwav_url

WRITERS = {"zip": "zip", "tar": "tar", "tar.gz": "gztar", "tar.xz": "xztar"}


def pack(folder, ending, base=None):
    """Archive a checkpoint: its files, or the folder itself."""
    root = (
        dict(root_dir=folder.parent, base_dir=base) if base else dict(root_dir=folder)
    )
    return shutil.make_archive(str(folder), WRITERS[ending], **root)


def weights(upstream):
    return torch.cat([p.flatten() for p in upstream.parameters()])


@pytest.mark.parametrize("ending", WRITERS)
@pytest.mark.parametrize("base", (None, "checkpoint"))
def test_url_equals_folder(checkpoint, cache, ending, base):
    url = f"file://{pack(checkpoint, ending, base)}"
    expected = weights(uniwav_local(checkpoint))
    assert torch.equal(weights(uniwav_url(url)), expected)
    control = weights(uniwav_url(url, random_seed=1))
    assert torch.equal(control, weights(uniwav_local(checkpoint, random_seed=1)))


def test_cache_and_refresh(make_checkpoint, cache):
    archive = pack(make_checkpoint(), "zip")
    url = f"file://{archive}"
    first = weights(uniwav_url(url))
    torch.manual_seed(1)
    encoder = dict(num_layers=2, embed_dim=32, num_heads=4, ffn_dim=48)
    pack(make_checkpoint(encoder=encoder), "zip")
    assert torch.equal(weights(uniwav_url(url)), first)
    past = time.time() - 60  # S3PRL takes what is two seconds old for new
    for file in cache.rglob("*"):
        os.utime(file, (past, past))
    second = weights(uniwav_url(url, refresh=True))
    assert second.shape != first.shape
    os.remove(archive)
    assert torch.equal(weights(uniwav_url(url)), second)


def test_unpacked_folder_that_was_damaged(checkpoint, cache):
    url = f"file://{pack(checkpoint, 'tar')}"
    folder = fetch_checkpoint(url)
    (folder / "config.yaml").unlink()
    assert fetch_checkpoint(url) == folder
    assert sorted(p.name for p in folder.iterdir()) == [
        "config.yaml",
        "model.safetensors",
    ]


def test_no_path_of_an_archive_reaches_the_disk(checkpoint, tmp_path):
    archive, inside = tmp_path / "evil.tar", tmp_path / "inside"
    with tarfile.open(archive, "w") as tar:
        tar.add(checkpoint / "config.yaml", "../outside/config.yaml")
        tar.add(checkpoint / "model.safetensors", "../outside/model.safetensors")
        tar.add(checkpoint / "config.yaml", "/absolute.yaml")
    before = {path for path in tmp_path.rglob("*")}
    unpack(archive, inside)
    new = {path for path in tmp_path.rglob("*")} - before
    assert new == {inside, inside / "config.yaml", inside / "model.safetensors"}


def test_links_are_not_followed(checkpoint, tmp_path):
    archive = tmp_path / "link.tar"
    (tmp_path / "link").symlink_to(checkpoint / "config.yaml")
    with tarfile.open(archive, "w") as tar:
        tar.add(tmp_path / "link", "config.yaml")
        tar.add(checkpoint / "model.safetensors", "model.safetensors")
    with pytest.raises(ValueError, match="found 0 of them among 1 files"):
        unpack(archive, tmp_path / "inside")


@pytest.mark.parametrize("ending", WRITERS)
def test_archives_that_fill_the_disk(checkpoint, cache, monkeypatch, ending):
    (checkpoint / "zeros").write_bytes(bytes(2**20))
    url = f"file://{pack(checkpoint, ending)}"
    expected = weights(uniwav_url(url))
    size = sum(path.stat().st_size for path in checkpoint.iterdir())
    for name, most in (("MOST_BYTES", size - 1), ("MOST_FILES", 2)):
        with monkeypatch.context() as patch:
            patch.setattr(archive, name, most)
            with pytest.raises(ValueError, match="expected at most .* found"):
                unpack(Path(url.removeprefix("file://")), cache / "other")
    assert not list((cache / "other").iterdir())
    assert torch.equal(weights(uniwav_url(url)), expected)


def test_a_header_that_says_too_much(checkpoint, tmp_path):
    """A terabyte in a few hundred bytes, as a compressed archive could hold it."""
    info = tarfile.TarInfo("config.yaml")
    info.size = 2**40
    with gzip.open(tmp_path / "bomb.tar.gz", "wb") as file:
        file.write(info.tobuf() + bytes(10240))
    with pytest.raises(ValueError, match="found 1 files and 1099511627776 bytes"):
        unpack(tmp_path / "bomb.tar.gz", tmp_path / "inside")


def test_archive_of_two_checkpoints(checkpoint, tmp_path, cache):
    archive = tmp_path / "two.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for folder in ("a", "b"):
            for path in checkpoint.iterdir():
                zipped.write(path, f"{folder}/{path.name}")
    with pytest.raises(ValueError) as error:
        fetch_checkpoint(f"file://{archive}")
    assert "expected an archive with config.yaml and model.safetensors in one " in str(
        error.value
    )
    assert str(error.value).startswith(f"file://{archive}: ")
    assert "found 2 of them among 4 files" in str(error.value)


class Handler(SimpleHTTPRequestHandler):
    """Files of a folder; the connection breaks after ``limit`` bytes of one."""

    limit = None

    def log_message(self, *args):
        pass

    def copyfile(self, source, outputfile):
        outputfile.write(source.read(self.limit))


@pytest.fixture
def server(tmp_path, monkeypatch):
    """http of the test's folder; like many hosts, 404 comes with a page."""
    monkeypatch.setattr(Handler, "limit", None)
    handler = partial(Handler, directory=str(tmp_path))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_http(checkpoint, cache, server):
    url = f"{server}/checkpoint.tar.gz"
    with pytest.raises(ValueError, match="checkpoint.tar.gz: expected a zip or tar"):
        uniwav_url(url)
    pack(checkpoint, "tar.gz")
    assert torch.equal(weights(uniwav_url(url)), weights(uniwav_local(checkpoint)))


def test_what_is_no_url(checkpoint, cache, tmp_path):
    with pytest.raises(ValueError, match=f"expected a URL.*found {checkpoint}"):
        uniwav_url(str(checkpoint))
    with pytest.raises(RuntimeError, match="missing.zip could not be downloaded"):
        uniwav_url(f"file://{tmp_path}/missing.zip")


@pytest.mark.parametrize("ending", WRITERS)
@pytest.mark.parametrize("share", (0.02, 0.5, 0.9))
def test_a_download_that_is_cut_off(checkpoint, cache, server, ending, share):
    archive = pack(checkpoint, ending)
    url = f"{server}/checkpoint.{ending}"
    Handler.limit = int(share * os.path.getsize(archive))
    with pytest.raises((ValueError, RuntimeError), match=f"checkpoint.{ending}"):
        uniwav_url(url)
    assert not kept(cache)
    Handler.limit = None
    assert torch.equal(weights(uniwav_url(url)), weights(uniwav_local(checkpoint)))


@pytest.mark.parametrize("ending", WRITERS)
def test_an_archive_that_was_altered(checkpoint, cache, ending):
    archive = Path(pack(checkpoint, ending))
    url = f"file://{archive}#sha256={hashlib.sha256(archive.read_bytes()).hexdigest()}"
    expected = weights(uniwav_url(url))
    for file in cache.rglob("*"):
        os.utime(file, (0, 0))  # S3PRL takes what is two seconds old for new
    whole = archive.read_bytes()
    middle = len(whole) // 2
    archive.write_bytes(
        whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    )
    with pytest.raises(ValueError, match="expected the SHA-256 .* or altered"):
        uniwav_url(url, refresh=True)
    assert not [file for file in kept(cache) if file.parent == cache]
    if ending != "tar":  # which has no checksum of its own
        with pytest.raises(ValueError, match="cut off or damaged"):
            uniwav_url(url.partition("#")[0], refresh=True)
    archive.write_bytes(whole)
    assert torch.equal(weights(uniwav_url(url)), expected)
    with pytest.raises(ValueError, match="expected #sha256=HEX or nothing, found #md5"):
        uniwav_url(f"file://{archive}#md5=1")


def test_an_archive_of_something_broken(checkpoint, cache):
    path = checkpoint / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="cut off or damaged .SafetensorError"):
        uniwav_url(f"file://{pack(checkpoint, 'tar')}")
    assert not kept(cache)


def kept(cache):
    """What is in the cache beside locks and empty folders."""
    files = [file for file in cache.rglob("*") if file.is_file()]
    return [file for file in files if file.suffix != ".lock"]
