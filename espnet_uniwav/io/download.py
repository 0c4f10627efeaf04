"""Downloads that are resumed after errors and checked before use."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.request import Request, urlopen

from tqdm import tqdm

BLOCK = 1 << 18
TIMEOUT = 30.0


class DownloadError(OSError):
    """All mirrors failed; the message names the error of each."""


@dataclass(frozen=True)
class Archive:
    """A published file.

    Attributes:
        place: Its path below the URL of a mirror.
        size: Bytes.
        checksum: MD5 or SHA-256 in hexadecimal digits.
    """

    place: str
    size: int
    checksum: str

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.place.rpartition("/")[2]

    @property
    def method(self) -> str:
        """Name of the checksum's function, for ``hashlib``."""
        return "md5" if len(self.checksum) == 32 else "sha256"


def download(archive: Archive, folder: Path, mirrors: Sequence[str]) -> Path:
    """Download an archive from the first mirror that has it.

    An incomplete download stays in ``NAME.part``, and the next call resumes it. A file
    with another size or checksum is deleted.

    Args:
        archive: Archive to download.
        folder: Target folder; a valid file that exists in it is used.
        mirrors: URLs, without a slash at the end, in order of preference.

    Returns:
        The checked file.

    Raises:
        DownloadError: Naming the error of every mirror.
    """
    path = folder / archive.name
    part = path.with_name(f"{path.name}.part")
    folder.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.replace(part)
    problems = []
    for mirror in mirrors:
        url = f"{mirror}/{archive.place}"
        try:
            _fetch(url, part, archive)
            _check_or_delete(part, archive)
        except (OSError, HTTPException, ValueError) as error:
            problems.append(f"{url}: {error}")
        else:
            return part.replace(path)
    raise DownloadError(f"{archive.name}: {'; '.join(problems)}")


def check(path: Path, archive: Archive) -> None:
    """Compare a file with the published size and checksum.

    Raises:
        ValueError: Naming expected and found size and checksum.
    """
    digest = hashlib.new(archive.method, usedforsecurity=False)
    size, method = path.stat().st_size, archive.method.upper()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    if (size, digest.hexdigest()) != (archive.size, archive.checksum):
        raise ValueError(
            f"expected {archive.size} bytes with {method} {archive.checksum}, found "
            f"{size} bytes with {method} {digest.hexdigest()}"
        )


def extract(archive: Path, wanted: str, folder: Path) -> Path:
    """Unpack one folder of a tar file, with the files beside it, such as its licence.

    The files are unpacked to a temporary folder and then moved, so that an existing
    folder is always complete.

    Args:
        archive: A tar file, compressed or not.
        wanted: Name of the folder in the tar file.
        folder: ``folder/wanted`` is created.

    Raises:
        ValueError: If it is not a tar file, lacks the folder, or would write outside
            of the target folder.
    """
    draft = folder / f".{archive.name}.unpacked"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    target = folder / wanted
    try:
        with tarfile.open(archive) as tar:
            bar = tqdm(tar, f"unpack {archive.name}", unit=" files", disable=None)
            tar.extractall(draft, members=bar, filter="data")
        if not (draft / wanted).is_dir():
            raise ValueError(f"{archive}: expected a folder {wanted} in it, found none")
        target.parent.mkdir(parents=True, exist_ok=True)
        for path in (draft / wanted).parent.iterdir():
            if path.is_file() or path.name == target.name:
                path.replace(target.with_name(path.name))
    except (tarfile.TarError, EOFError) as error:
        raise ValueError(f"{archive}: cannot be unpacked: {error}") from error
    finally:
        shutil.rmtree(draft)
    return target


def _check_or_delete(path: Path, archive: Archive) -> None:
    """As ``check``; a file that differs is deleted, so that it is not resumed."""
    try:
        check(path, archive)
    except ValueError as error:
        path.unlink()
        raise ValueError(f"{error}; the file is deleted") from error


def _fetch(url: str, part: Path, archive: Archive) -> None:
    """Download to the end, with new requests as long as more bytes arrive."""
    if _size(part) > archive.size:
        part.unlink()
    while (before := _size(part)) < archive.size:
        broken: Exception | None = None
        try:
            _receive(url, part, archive)
        except (OSError, HTTPException) as error:
            broken = error
        after = _size(part)
        if after <= before:
            raise broken or OSError(f"stopped at {after} of {archive.size} bytes")


def _receive(url: str, part: Path, archive: Archive) -> None:
    """Request the missing bytes; if the server sends the complete file, start over."""
    have = _size(part)
    request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urlopen(request, timeout=TIMEOUT) as response:
        if response.status != 206:
            have = 0
        _check_offer(response, have, archive.size)
        bar = tqdm(
            desc=archive.name,
            total=archive.size,
            initial=have,
            unit="B",
            unit_scale=True,
            disable=None,
        )
        with part.open("ab" if have else "wb") as file, bar:
            while block := response.read(BLOCK):
                file.write(block)
                bar.update(len(block))


def _check_offer(response: HTTPResponse, have: int, size: int) -> None:
    """Refuse another file, such as an error page, before downloading it."""
    start = response.headers.get("Content-Range", "bytes 0-").split()[-1].split("-")[0]
    length = response.headers.get("Content-Length")
    if have and int(start) != have:
        raise ValueError(f"asked for the bytes from {have} on, got those from {start}")
    if length is not None and have + int(length) != size:
        raise ValueError(f"expected {size} bytes, found {have + int(length)}")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
