"""Reads a corpus: an audio folder, a table, a Kaldi data folder, or a data set.

Each reader returns recordings, each with its utterances, and the entries that cannot
be used. No audio is opened here.
"""

from __future__ import annotations

import logging
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from espnet_uniwav.io.data_sets import find_data_set
from espnet_uniwav.io.input import clean_id
from espnet_uniwav.io.kaldi import SEGMENTS, WAV_SCP, parse_segment, table_lines
from espnet_uniwav.io.source import ENTRY, Stream, Stretch, Utterance
from espnet_uniwav.lab.corpora.transcripts import TABLE, read_cells

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".sph")
SPLIT_OF = {
    "train": "train",
    "dev": "dev",
    "valid": "dev",
    "validation": "dev",
    "test": "test",
    "eval": "test",
}


@dataclass(frozen=True)
class Cut:
    """An utterance: part of a recording, `start` to `end` in seconds (None: its end).

    An empty `split` means that the corpus does not define one.
    """

    utt: str
    speaker: str
    text: str = ""
    split: str = ""
    start: float = 0.0
    end: float | None = None


@dataclass(frozen=True)
class Recording:
    """A source of audio and its utterances.

    `source` is a file; a text that ends in a pipe is a shell command.
    """

    source: str | Path | Stream | Stretch
    utterances: tuple[Cut, ...]

    @property
    def is_command(self) -> bool:
        return isinstance(self.source, str) and self.source.endswith("|")


@dataclass(frozen=True)
class Skip:
    """An entry that is left out; the reason begins with its kind and a colon."""

    utt: str
    path: str
    reason: str


def read_corpus(folder: Path, ignore: Path) -> tuple[Iterable[Recording], list[Skip]]:
    """Lists the recordings of a corpus in any supported layout.

    Args:
        folder: the corpus.
        ignore: audio below this folder is not part of the corpus (our own output).

    Returns:
        The recordings, and the entries that are left out. Of a data set that holds its
        audio both are complete once the recordings, an iterator, have been read.

    Raises:
        ValueError: the folder does not exist or lists no audio, or a table of it
            cannot be read.
    """
    tables = (folder / name for name in (WAV_SCP, TABLE))
    if not any(path.is_file() for path in tables) and (parts := find_data_set(folder)):
        return list_data_set(folder, parts)
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise ValueError(
            f"corpus {folder} {found}: expected a folder with {_audio_names()} files, "
            f"with a {TABLE}, a Kaldi data folder (wav.scp), or a data set of Hugging "
            "Face or lhotse"
        )
    kaldi = [name for name in SPLIT_OF if (folder / name / "wav.scp").is_file()]
    if (folder / "wav.scp").is_file():
        recordings, skips = list_kaldi(folder)
    elif (folder / TABLE).is_file():
        recordings, skips = list_transcripts(folder)
    elif kaldi:
        recordings, skips = _read_kaldi_splits(folder, kaldi)
    else:
        recordings, skips = list_folder(folder, ignore), []
    recordings = list(_drop_duplicates(recordings, skips))
    if not recordings and not skips:
        raise ValueError(
            f"corpus {folder} holds no audio: expected {_audio_names()} files in it or "
            f"below it, or entries in its wav.scp or {TABLE}; is it the right folder?"
        )
    return recordings, skips


def list_data_set(
    name: Path, parts: dict[str, Iterable[Utterance]]
) -> tuple[Iterable[Recording], list[Skip]]:
    """Takes a data set; the names of several parts say train, dev or test.

    Raises:
        ValueError: there are several parts, and none is called so.
    """
    splits = {part: split_of(part) if len(parts) > 1 else "" for part in parts}
    if others := [part for part in parts if len(parts) > 1 and not splits[part]]:
        if len(others) == len(parts):
            raise ValueError(
                f"{name}: expected parts called train, dev and test, found "
                f"{', '.join(parts)}; name one of them"
            )
        logging.warning("%s: left out: %s", name, ", ".join(others))
    skips: list[Skip] = []
    found = (
        recording
        for part, utterances in parts.items()
        if part not in others
        for recording in recordings_of(utterances, splits[part])
    )
    recordings = _drop_duplicates(found, skips)
    if all(isinstance(utterances, list) for utterances in parts.values()):
        recordings = list(recordings)
    return recordings, skips


def recordings_of(
    utterances: Iterable[Utterance], split: str = ""
) -> Iterator[Recording]:
    """Takes utterances, and of a list those of each recording together."""
    cuts = (_cut_of(utterance, split) for utterance in utterances)
    if isinstance(utterances, list):
        groups = defaultdict(list)
        for source, cut in cuts:
            groups[source].append(cut)
        cuts = groups.items()
    for source, own in cuts:
        yield Recording(source, tuple(own) if isinstance(own, list) else (own,))


def split_of(name: str) -> str:
    """The split that a name such as `cuts_train-clean` holds as a word, if any."""
    words = re.split("[^a-z]+", name.lower())
    return next((SPLIT_OF[word] for word in words if word in SPLIT_OF), "")


def _cut_of(utterance: Utterance, split: str) -> tuple[Path | Stream | Stretch, Cut]:
    """The recording of an utterance, and its part of it."""
    found = utterance.path
    part = found if isinstance(found, Stretch) else Stretch(found)
    source = part.recording
    if part.channel is not None:
        source = Stretch(source, channel=part.channel)
    cut = _utterance(utterance.name, utterance.speaker, utterance.text, split)
    return source, replace(cut, start=part.start, end=part.end)


def list_folder(folder: Path, ignore: Path) -> list[Recording]:
    """Takes every audio file below a folder; the speaker is the parent folder."""
    recordings = []
    for path in _audio_files(folder, ignore):
        relative = path.relative_to(folder)
        speaker = clean_id("-".join(relative.parent.parts))
        utterance = _utterance(clean_id("-".join(relative.with_suffix("").parts)))
        if speaker:
            utterance = replace(utterance, speaker=speaker)
        recordings.append(Recording(os.path.abspath(path), (utterance,)))
    return recordings


def list_transcripts(folder: Path) -> tuple[list[Recording], list[Skip]]:
    """Reads `transcripts.tsv`; speaker, text and split are optional columns.

    Raises:
        ValueError: the table has no column path, or a line that cannot be read.
    """
    rows = [row for _, row in read_cells(folder)]
    splits_given = any(row.get("split") for row in rows)
    recordings, skips = [], []
    for row in rows:
        path = os.path.abspath(folder / row["path"])
        utt = clean_id(row.get("utt") or Path(row["path"]).stem)
        split = SPLIT_OF.get(row.get("split", "").strip().lower(), "")
        if splits_given and not split:
            reason = f"unknown split: {row['split']!r}, expected train, dev or test"
            skips.append(Skip(utt, path, reason))
            continue
        utterance = _utterance(utt, row.get("speaker", ""), row.get("text", ""), split)
        recordings.append(Recording(path, (utterance,)))
    return recordings, skips


def list_kaldi(folder: Path, split: str = "") -> tuple[list[Recording], list[Skip]]:
    """Reads a Kaldi data folder: wav.scp and, if there, segments, utt2spk, text."""
    sources = dict(_columns(folder / "wav.scp"))
    speakers = dict(_columns(folder / "utt2spk"))
    texts = dict(_columns(folder / "text"))
    if not (folder / SEGMENTS).is_file():
        recordings = []
        for utt, source in _columns(folder / "wav.scp"):
            utterance = _utterance(utt, speakers.get(utt, ""), texts.get(utt, ""))
            cuts = (replace(utterance, split=split),)
            recordings.append(Recording(_locate(source, folder), cuts))
        return recordings, []
    cuts, skips = defaultdict(list), []
    for utt, value in _columns(folder / SEGMENTS):
        try:
            recording, start, end = parse_segment(value)
        except ValueError as error:
            skips.append(Skip(utt, str(folder / SEGMENTS), f"bad segment: {error}"))
            continue
        if recording not in sources:
            reason = f"bad segment: no recording {recording!r}"
            skips.append(Skip(utt, str(folder / SEGMENTS), reason))
            continue
        utterance = _utterance(utt, speakers.get(utt, ""), texts.get(utt, ""), split)
        cuts[recording].append(replace(utterance, start=start, end=end))
    recordings = [
        Recording(_locate(sources[name], folder), tuple(found))
        for name, found in cuts.items()
    ]
    return recordings, skips


def _utterance(utt: str, speaker: str = "", text: str = "", split: str = ""):
    """Makes an utterance whose id opens with its speaker, so that Kaldi's two orders
    (by utterance, by speaker) agree. An unknown speaker is the utterance itself."""
    utt, speaker = clean_id(utt), clean_id(speaker)
    if (
        speaker
        and utt != speaker
        and not utt.startswith((speaker + "-", speaker + "_"))
    ):
        utt = f"{speaker}-{utt}"
    return Cut(utt, speaker or utt, " ".join(text.split()), split)


def _read_kaldi_splits(folder: Path, names: list[str]):
    recordings, skips = [], []
    for name in names:
        found, bad = list_kaldi(folder / name, SPLIT_OF[name])
        recordings += found
        skips += bad
    return recordings, skips


def _drop_duplicates(
    recordings: Iterable[Recording], skips: list[Skip]
) -> Iterator[Recording]:
    """Keeps the first utterance of every id; appends the others to the skips."""
    seen = {}
    for recording in recordings:
        fresh = []
        for utterance in recording.utterances:
            if utterance.utt in seen:
                reason = f"duplicate id: first used by {seen[utterance.utt]}"
                skips.append(Skip(utterance.utt, str(recording.source), reason))
            else:
                seen[utterance.utt] = str(recording.source)
                fresh.append(utterance)
        if fresh:
            yield replace(recording, utterances=tuple(fresh))


def _audio_files(folder: Path, ignore: Path):
    """Walks a folder in a fixed order; hidden files and link loops are left out."""
    ignore, visited = os.path.realpath(ignore), set()
    for root, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(root)
        if real in visited or real == ignore:
            folders.clear()
            continue
        visited.add(real)
        folders.sort()
        for name in sorted(files):
            if not name.startswith(".") and name.lower().endswith(AUDIO_SUFFIXES):
                yield Path(root, name)


def _columns(path: Path) -> list[tuple[str, str]]:
    """Key and value of each line of a Kaldi table; none if there is no table."""
    if not path.is_file():
        return []
    return [(key, value) for _, key, value in table_lines(path, mark=True)]


def _locate(source: str, folder: Path) -> str:
    """Finds a path of wav.scp from the working folder or from the data folder."""
    if source.endswith("|"):
        return source
    beside = folder / source
    entry = ENTRY.fullmatch(str(beside))
    there = beside.exists() or (entry and Path(entry[1]).exists())
    return os.path.abspath(beside if there else source)


def _audio_names() -> str:
    return ", ".join(AUDIO_SUFFIXES)
