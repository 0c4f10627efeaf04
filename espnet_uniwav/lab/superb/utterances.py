"""The utterances of a task: read from Kaldi-style folders, linked, and listed.

Every task's folder has a list of its utterances, ``utterances.tsv``, for scoring.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import soundfile

from espnet_uniwav.io.audio import SAMPLE_RATE
from espnet_uniwav.io.kaldi import read_table, refuse_segments
from espnet_uniwav.io.output import write_text
from espnet_uniwav.io.tables import TSV, read_rows, write_tsv
from espnet_uniwav.lab.corpora.texts import normalise
from espnet_uniwav.lab.corpora.transcripts import SPLITS

TABLE = "utterances.tsv"
COLUMNS = ("name", "utt", "speaker", "split", "group", "text")


@dataclass(frozen=True)
class SuperbUtterance:
    """One recording of one speaker, 16 kHz mono.

    Attributes:
        utt: Its id in the data folder.
        name: Its id in S3PRL's layouts, which allow no dot and no slash.
        speaker: Its speaker.
        split: ``train``, ``dev`` or ``test``.
        path: Its audio file.
        samples: Its length.
        text: Upper-case words; empty where there is none, or one with digits.
        recording: Equal for the pieces that a long utterance was cut into.
        group: Name of the group that is also scored by itself, or nothing.
    """

    utt: str
    name: str
    speaker: str
    split: str
    path: str
    samples: int
    text: str = ""
    recording: str = ""
    group: str = ""


def read_folders(folder: Path) -> list[SuperbUtterance]:
    """Read ``train``, ``dev`` and ``test`` below a folder.

    Args:
        folder: What `espnet_uniwav.lab.corpora.prepare` writes.

    Raises:
        FileNotFoundError, ValueError: If a table or an audio file is missing or cannot
            be read, audio is not 16 kHz mono, or two ids become one name.
    """
    found = [utt for split in SPLITS for utt in _read_split(folder / split, split)]
    _check_names("utterances", [item.utt for item in found])
    _check_names("speakers", {item.speaker for item in found})
    return found


def safe_name(name: str) -> str:
    """Make an id that survives S3PRL, which cuts at dots, dashes kept."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)


def by_speaker(utterances: list[SuperbUtterance]) -> dict[str, list[SuperbUtterance]]:
    """Speaker -> their utterances, both sorted."""
    groups = defaultdict(list)
    for item in sorted(utterances, key=lambda item: item.utt):
        groups[item.speaker].append(item)
    return dict(sorted(groups.items()))


def fresh_folder(folder: Path) -> Path:
    """Empty a task's folder written by this recipe, or create it.

    Raises:
        ValueError: If the folder holds something else.
    """
    if folder.exists():
        if not (folder / TABLE).is_file() and any(folder.iterdir()):
            raise ValueError(
                f"{folder} exists and was not written by this recipe (no {TABLE}): "
                "name another folder"
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / TABLE).touch()
    return folder


def link(item: SuperbUtterance, folder: Path) -> Path:
    """Link an utterance's audio under its name; returns the absolute path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder.absolute() / f"{item.name}{Path(item.path).suffix.lower()}"
    os.symlink(item.path, path)
    return path


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a list, one entry a line."""
    write_text(path, "".join(f"{line}\n" for line in lines))


def write_utterances(items: list[SuperbUtterance], folder: Path) -> None:
    """List a task's utterances, for scoring."""
    rows = ([getattr(item, name) for name in COLUMNS] for item in items)
    write_tsv(folder / TABLE, COLUMNS, rows)


def read_utterances(folder: Path) -> dict[str, dict[str, str]]:
    """Name -> row of the list.

    Raises:
        ValueError: If the task's data are missing.
    """
    path = folder / TABLE
    if not path.is_file() or not path.stat().st_size:
        raise ValueError(f"{path} is missing or empty: run stage 1 for this task")
    return {row["name"]: row for _, row in read_rows(path, COLUMNS[:5], **TSV)[1]}


def _read_split(folder: Path, split: str) -> list[SuperbUtterance]:
    refuse_segments(folder)
    paths, texts, speakers = (
        read_table(folder / name) for name in ("wav.scp", "text", "utt2spk")
    )
    if lost := [utt for utt in paths if not speakers.get(utt)]:
        raise ValueError(f"{folder / 'utt2spk'}: no speaker for utterance {lost[0]}")
    return [
        SuperbUtterance(
            utt=utt,
            name=safe_name(utt),
            speaker=speakers[utt],
            split=split,
            path=os.path.abspath(path),
            samples=_count_samples(utt, path),
            text=_clean(texts.get(utt, "")),
            recording=re.sub(r"-p\d{4}$", "", utt),
        )
        for utt, path in paths.items()
    ]


def _clean(text: str) -> str:
    """Upper-case words of letters and inner apostrophes; empty if it has digits."""
    if text == "<unk>" or re.search(r"\d", text):
        return ""
    return " ".join(normalise(text))


def _count_samples(utt: str, path: str) -> int:
    if not Path(path).is_file():
        raise ValueError(
            f"utterance {utt}: no audio file {path}; expected a file, not a command: "
            "espnet_uniwav.lab.corpora.prepare writes files"
        )
    info = soundfile.info(path)
    if (info.samplerate, info.channels) != (SAMPLE_RATE, 1):
        raise ValueError(
            f"utterance {utt}: {path} has {info.samplerate} Hz and {info.channels} "
            f"channels, expected {SAMPLE_RATE} Hz mono: "
            "espnet_uniwav.lab.corpora.prepare converts"
        )
    return info.frames


def _check_names(what: str, names: Iterable[str]) -> None:
    own = defaultdict(list)
    for name in names:
        own[safe_name(name)].append(name)
    for name, (first, *others) in own.items():
        if others:
            raise ValueError(
                f"{what} {first} and {others[0]} both become {name} in S3PRL's layout: "
                "rename one"
            )


def describe(items: Iterable[SuperbUtterance]) -> str:
    """Utterances and speakers of every split, in words."""
    utterances, speakers = Counter(), defaultdict(set)
    for item in items:
        utterances[item.split] += 1
        speakers[item.split].add(item.speaker)
    return ", ".join(
        f"{split} {utterances[split]} utterances of {len(speakers[split])} speakers"
        for split in SPLITS
    )
