"""Mini LibriSpeech as a corpus folder: train-clean-5, dev-clean-2 and test-clean.

    python -m espnet_uniwav.lab.corpora.librispeech OUT
    python -m espnet_uniwav.lab.corpora.librispeech OUT --librispeech DIR --more DIR ...

Writes OUT/transcripts.tsv with the paths of the audio; `--corpus OUT` of the recipes
reads it. Without --librispeech the three sets are downloaded from OpenSLR (31 and 12,
0.8 GB) and checked; an interrupted download is resumed. LibriSpeech is by V. Panayotov,
G. Chen, D. Povey and S. Khudanpur (2015), under CC BY 4.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from espnet_uniwav.cli.command import run_script
from espnet_uniwav.io.audio import seconds_of
from espnet_uniwav.io.download import Archive, DownloadError, download, extract
from espnet_uniwav.io.input import BLANKS, read_lines
from espnet_uniwav.io.kaldi import hash_share
from espnet_uniwav.io.output import locked
from espnet_uniwav.lab.corpora.transcripts import (
    TABLE,
    Transcript,
    describe,
    read_transcripts,
    write_transcripts,
)

PARTS = {"train": "train-clean-5", "dev": "dev-clean-2", "test": "test-clean"}
NUM_HELD_OUT = 3
# Sizes: Kaldi, egs/{mini_librispeech,librispeech}/s5/local/download_and_untar.sh.
# MD5: md5sum.txt of OpenSLR 31 and 12, as quoted by PaddleSpeech and others.
ARCHIVES = {
    "train-clean-5": Archive(
        "31/train-clean-5.tar.gz", 332954390, "5df7d4e78065366204ca6845bb08f490"
    ),
    "dev-clean-2": Archive(
        "31/dev-clean-2.tar.gz", 126046265, "6d7ab67ac6a1d2c993d050e16d61080d"
    ),
    "test-clean": Archive(
        "12/test-clean.tar.gz", 346663984, "32fa31d27d2e1cad72775fee3f4849a9"
    ),
}
MIRRORS = (
    "https://www.openslr.org/resources",
    "https://us.openslr.org/resources",
    "https://openslr.elda.org/resources",
    "https://openslr.trmal.net/resources",
)


def build(
    out: Path,
    librispeech: Path | None = None,
    downloads: Path | None = None,
    all: bool = False,
    more: Sequence[Path] = (),
) -> str:
    """Write the corpus folder, and return a summary.

    Args:
        out: Corpus folder to write.
        librispeech: LibriSpeech as unpacked, or a corpus folder with a copy of it
            (transcripts.tsv, column source: ls_train_clean_5, ...); None: download it.
        downloads: Folder for downloads and unpacking; None: OUT/downloads.
        all: Use the complete corpus folder of ``librispeech``, not LibriSpeech alone.
        more: More corpus folders; their utterances keep their splits.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    folder = librispeech or fetch(downloads or out / "downloads")
    own = read_librispeech(folder, all)
    others = [row for other in more for row in read_transcripts(other)]
    if not any(row.split == "test" for row in own):
        given = any(row.split == "test" for row in others)
        then = "that of --more" if given else "the recipes draw one from train"
        print(f"test: no {PARTS['test']} in {folder}: {then}")
    rows = drop_duplicates(own + others)
    if not any(row.split == "dev" for row in rows):
        rows = hold_out(rows, folder)
    warn_of_shared_speakers(rows)
    return f"{write_transcripts(out, rows)}\n{describe(rows)}"


def fetch(folder: Path) -> Path:
    """Download and unpack missing parts.

    Returns:
        The folder of LibriSpeech.

    Raises:
        DownloadError: With instructions for working without a network.
        ValueError: If an archive cannot be unpacked.
    """
    folder.mkdir(parents=True, exist_ok=True)
    home = folder / "LibriSpeech"
    with locked(folder, wait=True):
        missing = {k: v for k, v in ARCHIVES.items() if not (home / k).is_dir()}
        for part, archive in missing.items():
            try:
                path = download(archive, folder, MIRRORS)
            except DownloadError as error:
                urls = " ".join(f"{MIRRORS[0]}/{a.place}" for a in missing.values())
                raise DownloadError(
                    f"{error}. Try again, download {urls} by hand into {folder}, or "
                    "give a LibriSpeech that you have with --librispeech DIR"
                ) from error
            extract(path, f"{home.name}/{part}", folder)
    return home


def read_librispeech(folder: Path, everything: bool = False) -> list[Transcript]:
    """Read train-clean-5, dev-clean-2 and test-clean, from either layout.

    Args:
        folder: LibriSpeech as unpacked, the folder above it, or a corpus folder.
        everything: Read all rows of a corpus folder, with their own splits.

    Raises:
        FileNotFoundError, ValueError: Naming the part that is missing. A corpus folder
            may lack dev-clean-2, and both may lack test-clean.
    """
    for root in (folder / "LibriSpeech", folder):
        if any((root / part).is_dir() for part in PARTS.values()):
            if everything:
                raise ValueError(f"--all: expected a {TABLE} in {folder}, found none")
            return _read_parts(root)
    if not (folder / TABLE).is_file():
        raise FileNotFoundError(
            f"{folder}: expected {', '.join(PARTS.values())} or a {TABLE} in it, found "
            "neither; mini LibriSpeech is https://www.openslr.org/31"
        )
    return _read_copy(folder, everything)


def read_part(root: Path, part: str, split: str = "") -> list[Transcript]:
    """Read one part of LibriSpeech; speakers are readers, not chapters.

    Args:
        root: Folder with parts such as ``train-clean-100``.
        part: Its name, which becomes the ``source``.
        split: Split of its rows.

    Raises:
        FileNotFoundError: If transcripts or a recording are missing.
        ValueError: If a line has no text, or a recording cannot be read.
    """
    transcripts = sorted((root / part).glob("*/*/*.trans.txt"))
    if not transcripts:
        raise FileNotFoundError(f"{root / part}: no */*/*.trans.txt there")
    rows = []
    for path in tqdm(transcripts, desc=part, unit="chapter", disable=None):
        for line in read_lines(path):
            utt, _, text = line.strip(BLANKS).partition(" ")
            if not text:
                raise ValueError(f"{path}: expected `utt text`, found {line!r}")
            audio = path.with_name(f"{utt}.flac").absolute()
            speaker = utt.partition("-")[0]
            seconds = seconds_of(audio)
            rows.append(
                Transcript(utt, speaker, str(audio), seconds, text, split, part)
            )
    return rows


def hold_out(rows: list[Transcript], folder: Path) -> list[Transcript]:
    """Move speakers of train-clean-5, drawn by hash, to dev, and print them.

    Raises:
        ValueError: If no speaker would be left.
    """
    speakers = {row.speaker for row in rows if _part(row) == PARTS["train"]}
    if len(speakers) <= NUM_HELD_OUT:
        raise ValueError(
            f"{folder}: no {PARTS['dev']}, and {len(speakers)} speakers of "
            f"{PARTS['train']}: expected more than {NUM_HELD_OUT}, to hold "
            f"{NUM_HELD_OUT} out; give another corpus folder with a dev set by --more"
        )
    chosen = set(sorted(speakers, key=hash_share)[:NUM_HELD_OUT])
    print(
        f"dev: no {PARTS['dev']} in {folder}: the speakers {', '.join(sorted(chosen))} "
        f"of {PARTS['train']} are held out"
    )
    return [replace(r, split="dev") if r.speaker in chosen else r for r in rows]


def drop_duplicates(rows: Iterable[Transcript]) -> list[Transcript]:
    """Keep the first row of every utterance; print the number of duplicates."""
    kept, count = {}, 0
    for row in rows:
        count += 1
        kept.setdefault(row.utt, row)
    if count > len(kept):
        print(f"{count - len(kept)} duplicate utterances: the first of each is used")
    return list(kept.values())


def warn_of_shared_speakers(rows: Iterable[Transcript]) -> None:
    """Print speakers that are both in train and in dev or test."""
    speakers = {False: set(), True: set()}
    for row in rows:
        speakers[row.split == "train"].add(row.speaker)
    if shared := sorted(speakers[True] & speakers[False]):
        print(f"WARNING: speakers of dev or test are also in train: {shared}")


def _read_parts(root: Path) -> list[Transcript]:
    rows = []
    for split, part in PARTS.items():
        if split != "test" or (root / part).is_dir():
            rows += read_part(root, part, split)
    return rows


def _read_copy(folder: Path, everything: bool) -> list[Transcript]:
    """Rows of a corpus folder: those with a source of LibriSpeech, or all."""
    split_of = {part: split for split, part in PARTS.items()}
    rows = []
    for row in read_transcripts(folder):
        split = split_of.get(_part(row), row.split if everything else "")
        if split:
            rows.append(replace(row, split=split))
    if not any(_part(row) == PARTS["train"] for row in rows):
        raise ValueError(f"{folder / TABLE}: no row has the source {PARTS['train']}")
    return rows


def _part(row: Transcript) -> str:
    """Part of LibriSpeech of a source: `ls_test_clean_40x4` is from test-clean."""
    name = row.source.replace("_", "-").removeprefix("ls-")
    return PARTS["test"] if name.startswith(PARTS["test"]) else name


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(build, "out", argv)


if __name__ == "__main__":
    main()
