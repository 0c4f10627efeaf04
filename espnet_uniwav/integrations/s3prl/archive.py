"""A checkpoint on the web: downloaded to S3PRL's cache and unpacked there."""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from urllib.parse import urldefrag, urlsplit

import yaml
from s3prl.util.download import urls_to_filepaths
from safetensors import SafetensorError, safe_open

from espnet_uniwav.io.folder import CONFIG, WEIGHTS, read_config
from espnet_uniwav.io.output import locked

FILES = (CONFIG, WEIGHTS)
CHECKSUM, CHUNK = "sha256=", 2**20
# Of an archive, unpacked: ten times the largest model's, and the files beside it.
MOST_BYTES, MOST_FILES = 2**34, 1000
# Errors on reading an archive that is truncated or altered.
DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    SafetensorError,
    yaml.YAMLError,
)


def fetch_checkpoint(url: str, refresh: bool = False) -> Path:
    """Download and unpack the archive of a checkpoint folder.

    An archive that turns out to be cut off, altered or something else is deleted from
    the cache, so that the next call downloads it again.

    Args:
        url: http, https or file; a zip or tar archive, compressed or not. With
            ``#sha256=HEX`` at its end the archive must have this checksum.
        refresh: Download again what S3PRL's cache (``s3prl.util.download``) holds.

    Returns:
        The checkpoint folder, in that cache.

    Raises:
        ValueError: If this is no URL, or no complete archive of one checkpoint.
        RuntimeError: If it cannot be downloaded.
    """
    if urlsplit(str(url)).scheme not in ("http", "https", "file"):
        raise ValueError(
            f"expected a URL (http, https, file), found {url}: a folder here is for "
            "uniwav_local"
        )
    url, fragment = urldefrag(str(url))
    if fragment and not fragment.startswith(CHECKSUM):
        raise ValueError(
            f"{url}: expected #{CHECKSUM}HEX or nothing, found #{fragment}"
        )
    archive = Path(_download(url, refresh))
    folder = archive.with_name(f"{archive.name}.checkpoint")
    folder.mkdir(exist_ok=True)
    with locked(folder, wait=True):
        try:
            if fragment:
                _check_sum(archive, fragment)
            if not _is_current(folder, archive):
                unpack(archive, folder)
        except ValueError as error:
            archive.unlink(missing_ok=True)
            raise ValueError(f"{url}: {error}") from None
    return folder


def unpack(archive: Path, folder: Path) -> None:
    """Write the two files of a checkpoint, and nothing else, into a folder.

    Files are looked up in the archive by name and written under their own names, so
    no path of the archive reaches the disk. The folder changes only on success.

    Raises:
        ValueError: If the archive does not hold exactly one checkpoint, is damaged, or
            would fill the disk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as parts:
        try:
            _extract(archive, Path(parts))
            with safe_open(Path(parts) / WEIGHTS, "pt"):
                pass
            read_config(parts)
        except DAMAGED as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # of this machine, such as a full disk
            raise ValueError(
                f"the archive is cut off or damaged ({type(error).__name__}: {error}): "
                "download it again, or ask who made it"
            ) from error
        for name in FILES:
            os.replace(Path(parts) / name, folder / name)


def _extract(archive: Path, folder: Path) -> None:
    with _members(archive) as members:
        parents = {PurePosixPath(name).parent for name in members}
        found = sorted(
            str(parent)
            for parent in parents
            if all(str(parent / name) in members for name in FILES)
        )
        if len(found) != 1:
            raise ValueError(
                f"expected an archive with {' and '.join(FILES)} in one folder, found "
                f"{len(found)} of them among {len(members)} files"
            )
        for name in FILES:
            with members[str(PurePosixPath(found[0]) / name)]() as source:
                with open(folder / name, "wb") as target:
                    shutil.copyfileobj(source, target)


@contextmanager
def _members(archive: Path) -> Iterator[dict]:
    """Regular files of an archive: normalised name -> a function that opens it."""
    if tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tar:
            files, sizes = [], []
            for member in tar:
                sizes.append(member.size)
                _check_size(sizes)
                files += [member] if member.isfile() else []
            yield {_normal(m.name): partial(tar.extractfile, m) for m in files}
            while rest := tar.fileobj.read(CHUNK):  # gzip has its checksum at the end
                sizes.append(len(rest))
                _check_size([sum(sizes)])
    elif zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            files = [info for info in zipped.infolist() if not info.is_dir()]
            _check_size([info.file_size for info in files])
            yield {_normal(i.filename): partial(zipped.open, i) for i in files}
    else:
        raise ValueError("expected a zip or tar archive, found neither: check the URL")


def _check_size(sizes: list[int]) -> None:
    """Refuse an archive by the sizes of its files so far (bytes)."""
    if len(sizes) > MOST_FILES or sum(sizes) > MOST_BYTES:
        raise ValueError(
            f"expected at most {MOST_FILES} files and {MOST_BYTES} bytes, found "
            f"{len(sizes)} files and {sum(sizes)} bytes or more: pack the two files of "
            "the checkpoint alone"
        )


def _check_sum(archive: Path, fragment: str) -> None:
    """Compare an archive with the ``sha256=HEX`` that its URL ends in."""
    expected = fragment.removeprefix(CHECKSUM).lower()
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != expected:
        raise ValueError(
            f"expected the SHA-256 {expected}, found {found}: the archive is cut off "
            "or altered"
        )


def _normal(name: str) -> str:
    return str(PurePosixPath(name))


def _download(url: str, refresh: bool) -> str:
    try:
        return urls_to_filepaths(url, refresh=refresh)
    except Exception as error:  # S3PRL's second try raises anything
        raise RuntimeError(
            f"{url} could not be downloaded ({type(error).__name__}: {error}): check "
            "the URL and the connection"
        ) from error


def _is_current(folder: Path, archive: Path) -> bool:
    files = [folder / name for name in FILES]
    return (
        all(file.is_file() for file in files)
        and min(file.stat().st_mtime for file in files) >= archive.stat().st_mtime
    )
