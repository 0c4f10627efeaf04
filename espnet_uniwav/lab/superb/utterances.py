"""Reads Kaldi-style data folders as the utterances that all tasks start from."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import soundfile

from espnet_uniwav.io.audio import SAMPLE_RATE
from espnet_uniwav.io.kaldi import read_table, refuse_segments
from espnet_uniwav.lab.corpora.texts import normalise
from espnet_uniwav.lab.corpora.transcripts import SPLITS


@dataclass(frozen=True)
class SuperbUtterance:
    """One recording of one speaker, 16 kHz mono.

    Attributes:
        utt: its id in the data folder.
        name: its id in S3PRL's layouts, which allow no dot and no slash.
        text: upper-case words; empty where there is none, or one with digits.
        recording: equal for the pieces that a long utterance was cut into.
        groups: names of the groups that are scored apart.
    """

    utt: str
    name: str
    speaker: str
    split: str
    path: str
    samples: int
    text: str = ""
    recording: str = ""
    groups: tuple[str, ...] = ()


def read_folders(folder: Path, groups: dict[str, str]) -> list[SuperbUtterance]:
    """Reads `train`, `dev` and `test` below a folder.

    Args:
        folder: what `espnet_uniwav.lab.corpora.prepare` writes.
        groups: name -> regular expression; a speaker belongs to a group if a line
            of wav.scp of theirs matches it, and their utterances with them.

    Raises:
        FileNotFoundError, ValueError: a table or an audio file is missing or cannot be
            read, audio is not 16 kHz mono, a pattern matches nothing, or two ids
            become one name.
    """
    found = [utt for split in SPLITS for utt in _read_split(folder / split, split)]
    members = {name: _members(found, name, regex) for name, regex in groups.items()}
    _check_unique("utterance ids", {item.utt for item in found})
    _check_unique("speaker names", {item.speaker for item in found})
    twice = [utt for utt, count in Counter(u.utt for u in found).items() if count > 1]
    if twice:
        raise ValueError(f"{folder}: utterance {twice[0]} is in two splits")
    return [
        replace(u, groups=tuple(g for g in groups if u.speaker in members[g]))
        for u in found
    ]


def safe_name(name: str) -> str:
    """Makes an id that survives S3PRL, which cuts at dots, dashes kept."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)


def clean_text(text: str) -> str:
    """Upper-case words of letters and inner apostrophes; empty if it has digits."""
    if text == "<unk>" or re.search(r"\d", text):
        return ""
    return " ".join(normalise(text))


def by_speaker(utterances: list[SuperbUtterance]) -> dict[str, list[SuperbUtterance]]:
    """Speaker -> their utterances, both sorted."""
    groups = defaultdict(list)
    for item in sorted(utterances, key=lambda item: item.utt):
        groups[item.speaker].append(item)
    return dict(sorted(groups.items()))


def _read_split(folder: Path, split: str) -> list[SuperbUtterance]:
    refuse_segments(folder)
    paths = read_table(folder / "wav.scp")
    texts, speakers = (read_table(folder / name) for name in ("text", "utt2spk"))
    return [
        SuperbUtterance(
            utt=utt,
            name=safe_name(utt),
            speaker=_speaker_of(utt, speakers, folder),
            split=split,
            path=os.path.abspath(path),
            samples=_count_samples(utt, path),
            text=clean_text(texts.get(utt, "")),
            recording=re.sub(r"-p\d{4}$", "", utt),
        )
        for utt, path in paths.items()
    ]


def _speaker_of(utt: str, speakers: dict[str, str], folder: Path) -> str:
    if not speakers.get(utt):
        raise ValueError(f"{folder / 'utt2spk'}: no speaker for utterance {utt}")
    return speakers[utt]


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


def _members(found: list[SuperbUtterance], name: str, regex: str) -> set[str]:
    members = {u.speaker for u in found if re.search(regex, f"{u.utt} {u.path}")}
    if not members:
        raise ValueError(f"--groups {name}={regex}: no line of a wav.scp matches")
    return members


def _check_unique(what: str, names: set[str]) -> None:
    doubles = [n for n, c in Counter(map(safe_name, names)).items() if c > 1]
    if doubles:
        same = sorted(name for name in names if safe_name(name) == doubles[0])
        raise ValueError(
            f"{what} {same[0]} and {same[1]} both become {doubles[0]} in S3PRL's "
            "layout: rename one"
        )
