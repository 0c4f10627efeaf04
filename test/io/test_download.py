"""Downloads that break, archives that are wrong."""

import hashlib
import io
import tarfile

import pytest
from file_server import serve

from espnet_uniwav.io.download import Archive, DownloadError, download, extract

CONTENT = bytes(range(256)) * 40
ARCHIVE = Archive("31/a.tar.gz", len(CONTENT), hashlib.md5(CONTENT).hexdigest())


@pytest.fixture
def server():
    with serve({"/31/a.tar.gz": CONTENT}) as running:
        yield running


def test_what_is_there_is_not_fetched_again(server, tmp_path):
    path = download(ARCHIVE, tmp_path / "new", [server.url])
    assert path == tmp_path / "new/a.tar.gz" and path.read_bytes() == CONTENT
    assert download(ARCHIVE, tmp_path / "new", [server.url]) == path
    assert server.ranges == [None]
    assert list(path.parent.iterdir()) == [path]


def test_a_broken_download_goes_on(server, tmp_path):
    server.breaks_after = [1000, 500]
    path = download(ARCHIVE, tmp_path, [server.url])
    assert path.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=1000-", "bytes=1500-"]


def test_an_earlier_download_goes_on(server, tmp_path):
    (tmp_path / "a.tar.gz.part").write_bytes(CONTENT[:4000])
    assert download(ARCHIVE, tmp_path, [server.url]).read_bytes() == CONTENT
    assert server.ranges == ["bytes=4000-"]


def test_a_server_without_ranges_starts_anew(server, tmp_path):
    server.resumes = False
    (tmp_path / "a.tar.gz.part").write_bytes(CONTENT[:4000])
    assert download(ARCHIVE, tmp_path, [server.url]).read_bytes() == CONTENT
    server.breaks_after = [1000] * 9
    (tmp_path / "a.tar.gz").unlink()
    with pytest.raises(DownloadError, match="stopped at 1000 of 10240 bytes"):
        download(ARCHIVE, tmp_path, [server.url])
    assert len(server.breaks_after) == 7


def test_a_wrong_checksum(server, tmp_path):
    wrong = Archive(ARCHIVE.place, ARCHIVE.size, "0" * 32)
    said = f"MD5 {'0' * 32}, found 10240 bytes with MD5 {ARCHIVE.checksum}; .*deleted"
    with pytest.raises(DownloadError, match=said):
        download(wrong, tmp_path, [server.url])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tar.gz.part"])
def test_a_corrupt_file_is_replaced(server, tmp_path, name):
    (tmp_path / name).write_bytes(b"x" * 4000)
    path = download(ARCHIVE, tmp_path, [server.url, server.url])
    assert path.read_bytes() == CONTENT
    assert server.ranges == ["bytes=4000-", None]


def test_a_wrong_size_is_refused_before_it_is_received(server, tmp_path):
    wrong = Archive(ARCHIVE.place, 99, ARCHIVE.checksum)
    with pytest.raises(DownloadError, match="expected 99 bytes, found 10240"):
        download(wrong, tmp_path, [server.url])
    assert list(tmp_path.iterdir()) == []


def test_mirrors_are_tried_in_order(server, tmp_path):
    mirrors = ["http://127.0.0.1:9", f"{server.url}/other", server.url]
    assert download(ARCHIVE, tmp_path, mirrors).read_bytes() == CONTENT
    assert len(server.ranges) == 2
    with pytest.raises(DownloadError, match="a.tar.gz: .*127.0.0.1:9.*404"):
        download(ARCHIVE, tmp_path / "new", mirrors[:2])


def make_tar(path, files):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def test_a_folder_comes_with_the_files_beside_it(tmp_path):
    files = {"L/LICENSE.TXT": b"free", "L/part/1/a.txt": b"a", "L/other/b": b"b"}
    path = make_tar(tmp_path / "a.tar.gz", files)
    (tmp_path / ".a.tar.gz.unpacked/L/part/old").mkdir(parents=True)
    assert extract(path, "L/part", tmp_path) == tmp_path / "L/part"
    found = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")}
    assert found == {"a.tar.gz", "L", "L/LICENSE.TXT", "L/part"} | {
        "L/part/1",
        "L/part/1/a.txt",
    }


@pytest.mark.parametrize(
    "files, said",
    [
        ({"L/part/a": b"", "../out": b""}, "outside the destination"),
        ({"L/other/a": b""}, "expected a folder L/part in it"),
        (None, "cannot be unpacked"),
    ],
)
def test_nothing_half_is_left(tmp_path, files, said):
    path = tmp_path / "in/a.tar.gz"
    path.parent.mkdir()
    path.write_bytes(b"no tar") if files is None else make_tar(path, files)
    with pytest.raises(ValueError, match=f"a.tar.gz: .*{said}"):
        extract(path, "L/part", tmp_path / "in")
    assert not (tmp_path / "in/L").exists() and not (tmp_path / "out").exists()
