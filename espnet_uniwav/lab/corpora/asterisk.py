"""Downloads the default corpus: Asterisk core sounds, read by professional speakers.

    python -m espnet_uniwav.lab.corpora.asterisk DIR [--languages en es fr it ru]

The recordings come as Debian packages, so this needs apt-get and dpkg, but no root.
DIR becomes a standard corpus folder: 16 kHz FLAC files and a transcripts.tsv. A
complete language is not downloaded again. The licences (Creative Commons
Attribution, partly ShareAlike) are written to DIR/LICENSE.
"""

from __future__ import annotations

import gzip
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from tqdm import tqdm

from espnet_uniwav.cli.command import run_script
from espnet_uniwav.io.audio import SAMPLE_RATE, write_speech
from espnet_uniwav.io.jobs import process_all
from espnet_uniwav.io.kaldi import hash_share
from espnet_uniwav.io.output import write_text
from espnet_uniwav.io.tables import write_tsv
from espnet_uniwav.lab.corpora.transcripts import TABLE, read_cells

LANGUAGES = ("en", "es", "fr", "it", "ru")
SOUNDS = "usr/share/asterisk/sounds"
MIN_SECONDS = 0.4
DEV_SHARE = 0.05
COLUMNS = ("utt", "speaker", "path", "seconds", "text", "split", "gender", "language")
TONES = {
    "ascending-2tone",
    "beep",
    "beeperr",
    "confbridge-join",
    "confbridge-leave",
    "descending-2tone",
    "tt-monkeys",
}
NOTICE = """Asterisk core sounds, version 1.6.1, from the Debian packages
asterisk-core-sounds-* and asterisk-core-sounds-*-g722.
English, Spanish (Allison Smith) and French (June Wallack): CC-BY-SA-3.0.
Italian (Carlo Flora) and Russian (Maxim Topal): CC-BY-3.0.
Changes: decoded from G.722 to FLAC; tones, silences and prompts under 0.4 s left out.
"""


class FetchError(OSError):
    """The packages are not available; the message says what to do instead."""


def fetch_corpus(
    folder: Path,
    languages: Sequence[Literal["en", "es", "fr", "it", "ru"]] = LANGUAGES,
    test_share: float = 0.05,
    nj: int | None = None,
) -> str:
    """Download what is missing, and write the table; returns the licences.

    Args:
        folder: Corpus folder to write.
        languages: Languages to download.
        test_share: Share of all prompts that is drawn for test.
        nj: Processes; None: one per core.

    Raises:
        FetchError, ValueError, OSError: Saying what to do.
    """
    languages = sorted(set(languages))
    missing = [name for name in languages if not is_complete(folder / name)]
    if missing:
        fetch(missing, folder, os.cpu_count() if nj is None else nj)
    write_table(languages, folder, test_share)
    return f"{folder}: {NOTICE}"


def fetch(languages: list[str], folder: Path, processes: int) -> None:
    """Downloads, unpacks and decodes languages into DIR/xx.

    Raises:
        OSError: a program or a package is not available.
    """
    if importlib.util.find_spec("G722") is None:
        raise OSError(_advise("the Python package G722 is missing (pip install G722)"))
    packages = folder / ".packages"
    packages.mkdir(parents=True, exist_ok=True)
    names = [f"asterisk-core-sounds-{name}" for name in languages]
    download([name + part for name in names for part in ("", "-g722")], packages)
    for language in languages:
        convert(language, packages / "unpacked", folder, processes)
    shutil.rmtree(packages)


def download(names: list[str], packages: Path) -> None:
    """Downloads packages with apt-get and unpacks them below packages/unpacked.

    If apt-get does not know a package, its lists are downloaded to our own folder: the
    system's lists are not changed, and no root is needed.
    """
    for program in ("apt-get", "dpkg"):
        if shutil.which(program) is None:
            raise OSError(_advise(f"{program} is not on this machine"))
    options: list[str] = []
    for name in tqdm(names, desc="download", unit="package"):
        result = _apt(["download", name], options, packages)
        if result.returncode != 0 and not options:
            options = _own_lists(packages)
            update = _apt(["update"], options, packages)
            result = _apt(["download", name], options, packages)
            result.stderr += update.stderr
        if result.returncode != 0:
            said = " ".join(result.stderr.split())[:500] or "nothing"
            raise OSError(_advise(f"apt-get cannot download {name}: {said}"))
        _unpack(name, packages)


def convert(language: str, unpacked: Path, folder: Path, processes: int) -> None:
    """Decodes one language; its transcripts.tsv is written last and marks the end."""
    voice = next((unpacked / SOUNDS).glob(f"{language}_*"), None)
    if voice is None:
        raise OSError(_advise(f"no {SOUNDS}/{language}_* in the package {language}"))
    docs = unpacked / f"usr/share/doc/asterisk-core-sounds-{language}"
    texts = read_texts(docs / f"core-sounds-{language}.txt.gz")
    prompts = sorted(voice.rglob("*.g722"))
    settings = dict(voice=voice, texts=texts, folder=folder / language)
    prepare = partial(partial, decode_prompt, **settings)  # returns the function
    items, rows = {str(prompt): prompt for prompt in prompts}, []
    for own in process_all(prepare, items, processes, f"decode {language}"):
        if own.reason:
            raise OSError(f"{own.name}: {own.reason}")
        rows.append(own.value)
    notice = folder / "LICENSE"
    terms = (docs / "copyright").read_text(encoding="utf-8")
    write_text(notice, f"{NOTICE}\n{terms}")
    _write_rows([row for row in rows if row], folder / language / TABLE)


def decode_prompt(prompt: Path, voice: Path, texts: dict, folder: Path) -> dict | None:
    """Writes one prompt as FLAC; returns its row, or None if it is not speech."""
    from G722 import G722

    name = prompt.relative_to(voice).with_suffix("").as_posix()
    text = texts.get(name, "")
    if not is_speech(name, text):
        return None
    coded = prompt.read_bytes()
    if 2 * len(coded) < MIN_SECONDS * SAMPLE_RATE:
        return None
    samples = np.asarray(G722(SAMPLE_RATE, 64000).decode(coded), dtype=np.int16)
    path = folder / f"{name}.flac"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_speech(path, samples, SAMPLE_RATE)
    _, _, gender, speaker = voice.name.split("_", 3)
    return {
        "utt": f"{speaker}-{folder.name}-{name.replace('/', '-')}",
        "speaker": speaker,
        "path": path.relative_to(folder).as_posix(),
        "seconds": f"{len(samples) / SAMPLE_RATE:.3f}",
        "text": re.sub(r"\s*\[\W*\]\s*", "", text),
        "gender": gender,
        "language": folder.name,
    }


def is_speech(name: str, text: str) -> bool:
    """Whether a prompt holds words, not tones or silence (described in brackets)."""
    described = re.fullmatch(r"\[.*\]|\(.*\)|<.*>", text)
    return not (described or name in TONES or name.startswith("silence/"))


def split_of(name: str, test_share: float) -> str:
    """Split by the hash of the name: 5 % dev, a share test, the rest train."""
    share = hash_share(name)
    test = share < DEV_SHARE + test_share
    return "dev" if share < DEV_SHARE else "test" if test else "train"


def read_texts(path: Path) -> dict[str, str]:
    """Reads the lines `name: text` of a language's list; `;` opens a comment."""
    with gzip.open(path, "rt", encoding="utf-8-sig") as lines:
        parts = [line.partition(":") for line in lines if not line.startswith(";")]
    return {name.strip(): " ".join(text.split()) for name, _, text in parts}


def is_complete(folder: Path) -> bool:
    """Tells whether a language's table and every file in it are there."""
    rows = _read_rows(folder)
    return bool(rows) and all((folder / row["path"]).is_file() for row in rows)


def write_table(languages: list[str], folder: Path, test_share: float) -> None:
    """Joins the tables of the languages wanted into DIR/transcripts.tsv.

    Prompts of one name are one sentence in every language and share a split.
    """
    rows = [
        {
            **row,
            "path": f"{language}/{row['path']}",
            "split": split_of(str(Path(row["path"]).with_suffix("")), test_share),
        }
        for language in languages
        for row in _read_rows(folder / language)
    ]
    if rows != _read_rows(folder):
        _write_rows(rows, folder / TABLE)


def _read_rows(folder: Path) -> list[dict]:
    return [row for _, row in read_cells(folder)] if (folder / TABLE).is_file() else []


def _write_rows(rows: list[dict], path: Path) -> None:
    """Writes a table atomically."""
    write_tsv(path, COLUMNS, ([row.get(key, "") for key in COLUMNS] for row in rows))


def _apt(words: list[str], options: list[str], folder: Path):
    command = ["apt-get", "-q", *options, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def _own_lists(packages: Path) -> list[str]:
    """Options that keep apt-get's lists and cache in our folder, under our name."""
    for name in ("lists/partial", "cache/archives/partial"):
        (packages / name).mkdir(parents=True, exist_ok=True)
    root = packages.resolve()
    settings = [f"Dir::State::Lists={root}/lists", f"Dir::Cache={root}/cache"]
    if os.geteuid() == 0:
        settings.append("APT::Sandbox::User=root")
    return [word for setting in settings for word in ("-o", setting)]


def _unpack(name: str, packages: Path) -> None:
    for archive in packages.glob(f"{name}_*.deb"):
        command = ["dpkg", "-x", str(archive), str(packages / "unpacked")]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            archive.unlink()
            raise OSError(_advise(f"dpkg cannot unpack {archive}: {result.stderr}"))


def _advise(problem: str) -> str:
    return (
        f"{problem}. The default corpus is downloaded as Debian packages; to use your "
        "own speech instead, give CORPUS=DIR, any folder of wav or flac files"
    )


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(fetch_corpus, "folder", argv)


if __name__ == "__main__":
    main()
