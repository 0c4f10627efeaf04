"""Kaldi-style data folders: tables with a key and a value per line."""

from __future__ import annotations

import hashlib
import itertools
import re
from dataclasses import dataclass
from pathlib import Path

from espnet_uniwav.data.pipe import FIX, Pipe, pipes_allowed
from espnet_uniwav.files.input import read_lines
from espnet_uniwav.files.output import write_text

MIN_UTTERANCES = 4
BLANKS = " \t"


@dataclass(frozen=True)
class Utterance:
    """One line of a Kaldi data folder."""

    name: str
    path: Path | Pipe
    speaker: str = ""
    text: str = ""


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
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run the stage that makes it first")
    table: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), 1):
        if not (line := line.strip(BLANKS)):
            continue
        key, *value = re.split(f"[{BLANKS}]+", line, maxsplit=1)
        if key in table:
            raise ValueError(
                f"{path}, line {number}: {key} is in the file twice; remove or "
                "rename one of the two"
            )
        table[key] = "".join(value)
    return table


def thin(items: list, count: int | None) -> list:
    """``count`` of the items, evenly spaced; all if None or if there are fewer."""
    if count is None or count >= len(items):
        return items
    return [items[i * len(items) // count] for i in range(count)]


def read_data_folder(wav_scp: str | Path) -> list[Utterance]:
    """Read ``wav.scp`` and, where they are, ``utt2spk`` and ``text`` beside it.

    An entry that ends in ``|`` is a shell command, run whenever the audio is read; only
    if the environment variable ``UNIWAV_ALLOW_PIPES`` is 1.

    Raises:
        FileNotFoundError: If there is no ``wav.scp``.
        ValueError: If a line is no pair of name and path, or of name and command; if
            there is none; or if there are commands, which are not allowed.
    """
    wav_scp = Path(wav_scp)
    speakers, texts = (
        read_table(path) if path.is_file() else {}
        for path in (wav_scp.with_name("utt2spk"), wav_scp.with_name("text"))
    )
    utterances = []
    for name, path in read_table(wav_scp).items():
        if not path.rstrip("| "):
            raise ValueError(
                f"{wav_scp}: {name}: expected the path of an audio file, or a command "
                f"that prints one and `|`, found {path!r}"
            )
        source = Pipe(path) if path.endswith("|") else Path(path)
        speaker, text = speakers.get(name, ""), texts.get(name, "")
        utterances.append(Utterance(name, source, speaker, text))
    if not utterances:
        raise ValueError(f"{wav_scp}: expected utterances, found none")
    _check_pipes(wav_scp, [u.path for u in utterances if isinstance(u.path, Pipe)])
    return utterances


def _check_pipes(wav_scp: Path, commands: list[Pipe]) -> None:
    if not commands or pipes_allowed():
        return
    first, lines = commands[0], enumerate(read_lines(wav_scp), 1)
    number = next(n for n, line in lines if line.strip(BLANKS).endswith(first))
    raise ValueError(
        f"{wav_scp}, line {number}: expected an audio file, found the shell command "
        f"{str(first)!r}, one of {len(commands)}; {FIX}"
    )


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


def draw_one(name: str, utterances: list[Utterance]) -> Utterance | None:
    """Draw an utterance, determined by the names alone; None if there are none."""

    def draw(utterance: Utterance) -> str:
        return hashlib.sha256(f"{name} {utterance.name}".encode()).hexdigest()

    return min(utterances, key=draw, default=None)


def spread(utterances: list[Utterance], count: int | None) -> list[Utterance]:
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
