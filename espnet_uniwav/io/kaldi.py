"""Kaldi-style data folders: tables with a key and a value per line."""

from __future__ import annotations

import hashlib
import itertools
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from espnet_uniwav.io.data_sets import find_data_set
from espnet_uniwav.io.input import fields, is_there, read_lines
from espnet_uniwav.io.output import write_text
from espnet_uniwav.io.pipe import FIX, Pipe, pipes_allowed
from espnet_uniwav.io.source import (
    LATEST,
    Source,
    Stream,
    Stretch,
    Utterance,
    as_source,
)

MIN_UTTERANCES = 4
WAV_SCP, SEGMENTS = "wav.scp", "segments"


def read_table(path: str | Path) -> dict[str, str]:
    """Read ``wav.scp``, ``text``, ``utt2spk`` and the like.

    Args:
        path: File of lines ``key value``; the value may hold blanks or be missing.

    Returns:
        Key -> value, in the order of the file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: Naming file and line, see ``read_lines``, or if a key is in two
            lines.
    """
    return {key: value for key, (_, value) in _read_places(path).items()}


def table_lines(path: str | Path, mark: bool = False) -> Iterator[tuple[str, str, str]]:
    """Place (for errors), key and value of every line of a table that is not empty."""
    for number, line in enumerate(read_lines(path, mark), 1):
        if found := fields(line, 2):
            yield f"{path}, line {number}", found[0], "".join(found[1:])


def parse_segment(value: str) -> tuple[str, float, float | None]:
    """Read ``recording start end`` of a line of ``segments``.

    Returns:
        Name, start and end (seconds); None, written -1: the end of the recording.

    Raises:
        ValueError: Naming what was found.
    """
    try:
        recording, start, end = fields(value)
        first, last = float(start), float(end)
    except ValueError:
        raise ValueError(
            f"expected `utterance recording start end`, found {value!r}"
        ) from None
    if not (0 <= first <= LATEST and (last == -1 or first < last <= LATEST)):
        raise ValueError(
            f"expected a start from 0 s on and a later end, found {start} to {end}"
        )
    return recording, first, None if last == -1 else last


def _read_places(path: str | Path) -> dict[str, tuple[str, str]]:
    """Key -> place and value; arguments and errors as of ``read_table``."""
    if not is_there(path):
        raise FileNotFoundError(f"{path} is missing: run the stage that makes it first")
    table: dict[str, tuple[str, str]] = {}
    for place, key, value in table_lines(path):
        if key in table:
            raise ValueError(
                f"{place}: {key} is in the file twice; remove or rename one of the two"
            )
        table[key] = place, value
    return table


def thin(items: list, count: int | None) -> list:
    """``count`` of the items, evenly spaced; all if None or if there are fewer."""
    if count is None or count >= len(items):
        return items
    return [items[i * len(items) // count] for i in range(count)]


def read_data_folder(wav_scp: str | Path) -> list[Utterance]:
    """Read ``wav.scp`` and, where they are, ``segments``, ``utt2spk`` and ``text``.

    An entry that ends in ``|`` is a shell command, run whenever the audio is read; only
    if the environment variable ``UNIWAV_ALLOW_PIPES`` is 1. Where ``segments`` stands
    beside a ``wav.scp``, an utterance is a line of it: a stretch of a recording.

    Args:
        wav_scp: The table; or a data set of Hugging Face or lhotse, see
            ``find_data_set``, also with ``/wav.scp`` after its name.

    Raises:
        FileNotFoundError: If there is no ``wav.scp``.
        ValueError: If a line is no pair of name and path, or of name and command; if
            there is none; or if there are commands, which are not allowed. If a line
            of ``segments`` has no recording or no times. If a data set has several
            parts, or holds audio that is in no file.
    """
    wav_scp = Path(wav_scp)
    if wav_scp.name != WAV_SCP or not is_there(wav_scp):
        name = wav_scp.parent if wav_scp.name == WAV_SCP else wav_scp
        if parts := find_data_set(name):
            return _read_data_set(name, parts)
    speakers, texts = (
        read_table(path) if path.is_file() else {}
        for path in (wav_scp.with_name("utt2spk"), wav_scp.with_name("text"))
    )
    sources = _read_sources(wav_scp)
    segments = wav_scp.with_name(SEGMENTS)
    if segments.is_file():
        if wav_scp.name == WAV_SCP:
            sources = _cut(sources, segments)
        else:
            logging.warning("%s belongs to wav.scp: not to %s", segments, wav_scp)
    if not sources:
        raise ValueError(f"{wav_scp}: expected utterances, found none")
    return [
        Utterance(name, source, speakers.get(name, ""), texts.get(name, ""))
        for name, source in sources.items()
    ]


def refuse_segments(folder: Path) -> None:
    """Raise a ValueError if utterances of a data folder are parts of recordings."""
    if (folder / SEGMENTS).is_file():
        raise ValueError(
            f"{folder / SEGMENTS}: expected a file for every utterance, found parts of "
            "recordings: cut them by `python -m espnet_uniwav.lab.corpora.prepare`"
        )


def _read_sources(wav_scp: Path) -> dict[str, Source]:
    """Name -> recording of every line of a ``wav.scp``."""
    sources: dict[str, Source] = {}
    commands = []
    for name, (place, path) in _read_places(wav_scp).items():
        if not path.rstrip("| "):
            raise ValueError(
                f"{wav_scp}: {name}: expected the path of an audio file, or a command "
                f"that prints one and `|`, found {path!r}"
            )
        if path.endswith("|"):
            commands.append((place, path))
        sources[name] = Pipe(path) if path.endswith("|") else as_source(path)
    _check_commands(commands)
    return sources


def _check_commands(commands: list[tuple[str, str]]) -> None:
    """Refuse shell commands, each with its place, unless they are allowed."""
    if commands and not pipes_allowed():
        place, first = commands[0]
        raise ValueError(
            f"{place}: expected an audio file, found the shell command {first!r}, one "
            f"of {len(commands)}; {FIX}"
        )


def _read_data_set(name: Path, parts: dict[str, Iterable[Utterance]]):
    """The utterances of the only part of a data set, whose audio is in files."""
    if len(parts) > 1:
        raise ValueError(
            f"{name}: expected one part, found {', '.join(parts)}; name one: a "
            "manifest of lhotse, or hf:NAME:PART"
        )
    (found,) = parts.values()
    utterances, commands = {}, []
    for utterance in found:
        source, own = utterance.path, utterance.name
        source = source.recording if isinstance(source, Stretch) else source
        if isinstance(source, Stream):
            raise ValueError(
                f"{name}: expected audio in files, found it in the data set ({own}); "
                "write files: `python -m espnet_uniwav.lab.corpora.tables "
                f"{name} OUT`, and name OUT/wav.scp"
            )
        if own in utterances:
            raise ValueError(f"{name}: {own} is there twice; rename one of the two")
        if isinstance(source, Pipe):
            commands.append((f"{name}: {own}", source))
        utterances[own] = utterance
    _check_commands(commands)
    return list(utterances.values())


def _cut(recordings: dict[str, Source], segments: Path) -> dict[str, Source]:
    """Name -> stretch of every line of ``segments``."""
    cut: dict[str, Source] = {}
    for name, (place, value) in _read_places(segments).items():
        try:
            recording, start, end = parse_segment(value)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
        if recording not in recordings:
            raise ValueError(
                f"{place}: expected a recording of wav.scp, found {recording!r}; "
                "remove the line, or add the recording"
            )
        cut[name] = Stretch(recordings[recording], start, end)
    return cut


def write_data_folder(folder: Path, tables: dict[str, dict[str, object]]) -> None:
    """Write a data folder: each table sorted by its key, and ``spk2utt``.

    Args:
        folder: Created if missing.
        tables: Name -> table; ``utt2spk`` is among them.
    """
    utts = {}
    for utt, speaker in sorted(tables["utt2spk"].items()):
        utts.setdefault(speaker, []).append(utt)
    speakers = {speaker: " ".join(own) for speaker, own in utts.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in {**tables, "spk2utt": speakers}.items():
        lines = (f"{key} {value}\n" for key, value in sorted(table.items()))
        write_text(folder / name, "".join(lines))


def hash_share(name: str) -> float:
    """A number in [0, 1) of a name, for draws and orders that never change."""
    digest = hashlib.sha256(name.encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def draw_one(name: str, utterances: list[Utterance]) -> Utterance | None:
    """Draw an utterance, determined by the names alone; None if there are none."""
    return min(
        utterances, key=lambda own: hash_share(f"{name} {own.name}"), default=None
    )


def thin_by_speaker(utterances: list[Utterance], count: int | None) -> list[Utterance]:
    """About ``count`` utterances, evenly spread over the speakers; None keeps all.

    Groups of MIN_UTTERANCES of a speaker are kept together: with fewer, speakers cannot
    be distinguished from utterances.
    """
    ordered = sorted(utterances, key=lambda u: (u.speaker, u.name))
    if count is None or count >= len(ordered):
        return ordered
    groups = []
    for _, own in itertools.groupby(ordered, key=lambda u: u.speaker):
        own = list(own)
        bounds = range(0, len(own), MIN_UTTERANCES)
        groups += [own[start : start + MIN_UTTERANCES] for start in bounds]
    number = max(round(count * len(groups) / len(ordered)), 1)
    return list(itertools.chain.from_iterable(thin(groups, number)))
