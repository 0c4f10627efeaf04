"""lhotse's cuts: manifests (``*.jsonl.gz``), read as JSON, and shar folders."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from espnet_uniwav.io.input import clean_id, error_context
from espnet_uniwav.io.pipe import Pipe
from espnet_uniwav.io.source import LATEST, Source, Stream, Stretch, Utterance

MANIFESTS = (".jsonl", ".jsonl.gz")
KEYS = "speaker", "text"
# Seconds by which a cut of all of a recording may end before it.
ROUNDING = 1e-4
SHARDS = "cuts.[0-9]*.jsonl*"


def find_cuts(path: Path) -> dict[str, Iterable[Utterance]] | None:
    """The utterances of a manifest, of a folder of manifests, or of a shar folder.

    Args:
        path: ``*.jsonl.gz`` or ``*.jsonl``; or a folder with ``*cuts*.jsonl.gz``.

    Returns:
        Name of the manifest -> utterances: a list that names files, or an iterator over
        a shar, whose audio is in memory for one cut at a time; None: no such path.

    Raises:
        ValueError: Naming file and line of what cannot be read.
        ImportError: If the path is a shar folder and lhotse is missing.
    """
    if _is_manifest(path):
        return {_stem(path): _read_manifest(path)}
    if not path.is_dir():
        return None
    if shards := sorted(path.glob(SHARDS)):
        return {path.name: _read_shar(path, shards)}
    manifests = sorted(own for own in path.glob("*cuts*") if _is_manifest(own))
    return {_stem(own): _read_manifest(own) for own in manifests} or None


def _is_manifest(path: Path) -> bool:
    return path.is_file() and path.name.endswith(MANIFESTS)


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".jsonl")


def _read_manifest(path: Path) -> list[Utterance]:
    found = []
    for place, entry in _read_entries(path):
        found += _utterances(place, entry, path.parent)
    return found


def _read_entries(path: Path) -> Iterator[tuple[str, dict]]:
    """Place (for errors) and content of every line."""
    opened, number = gzip.open if path.suffix == ".gz" else open, 0
    try:
        with opened(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield f"{path}, line {number}", json.loads(line)
    except (EOFError, OSError, zlib.error, ValueError, RecursionError) as error:
        if not isinstance(error, (ValueError, RecursionError)):
            number += 1  # the line that could not be read
        raise ValueError(
            f"{path}, line {number}: expected a manifest of lhotse, a line of JSON "
            f"for every cut, found {error}; copy it again"
        ) from error


def _read_shar(folder: Path, shards: list[Path]) -> Iterator[Utterance]:
    """The cuts of a shar folder, each with its audio."""
    try:
        from lhotse import CutSet
    except ImportError as error:
        raise ImportError(
            f"{folder}: a shar folder needs lhotse: "
            f'pip install "espnet_uniwav[lhotse]" ({error})'
        ) from error
    fields = {"cuts": shards, "recording": sorted(folder.glob("recording.[0-9]*"))}
    if len(fields["recording"]) != len(shards):
        raise ValueError(
            f"{folder}: expected a recording.*.tar for each of {len(shards)} "
            f"cuts.*.jsonl.gz, found {len(fields['recording'])}; copy it again"
        )
    with error_context(folder):
        for cut in CutSet.from_shar(fields=fields):
            yield from _utterances(f"{folder}, cut {cut.id}", cut.to_dict(), folder)


def _utterances(place: str, cut: dict, folder: Path) -> list[Utterance]:
    """The utterances of a cut: one, or one for each of several supervisions.

    Args:
        place: File and line, for errors.
        cut: As lhotse stores it, or a recording.
        folder: Where relative paths begin, unless they begin in the working folder.
    """
    with error_context(place):
        if "sources" in cut:
            duration = cut["duration"]
            cut = dict(id=cut["id"], start=0, duration=duration, recording=cut)
        recording = _check_cut(place, cut)
        source, channel = _source(place, cut, recording, folder)
        start, end = float(cut["start"]), float(cut["start"]) + float(cut["duration"])
        own = cut.get("supervisions") or []
        if len(own) <= 1:
            parts = [(cut["id"], start, end, *own[:1])]
        else:
            parts = [(one["id"], *_times(one, start, end), one) for one in own]
        total = float(recording["duration"])
        return [
            Utterance(
                clean_id(str(name)),
                _stretch(place, source, channel, (first, last), total),
                *(str(one.get(key) or "") for one in about for key in KEYS),
            )
            for name, first, last, *about in parts
        ]


def _check_cut(place: str, cut: dict) -> dict:
    """The recording of a cut, which must be nothing else than a part of it."""
    kind, recording = cut.get("type", "MonoCut"), cut.get("recording")
    if kind not in ("MonoCut", "MultiCut", "Cut") or not recording:
        found = kind if recording or kind == "MixedCut" else f"a {kind} without one"
        raise ValueError(
            f"{place}: expected a part of a recording, found {found}; store the audio: "
            "`cuts.save_audios(FOLDER)`"
        )
    if recording.get("transforms"):
        raise ValueError(
            f"{place}: expected a recording as it is, found transforms of it; store "
            "the audio: `cuts.save_audios(FOLDER)`"
        )
    return recording


def _source(
    place: str, cut: dict, recording: dict, folder: Path
) -> tuple[Source, int | None]:
    """What holds the audio of a cut, and which channel of it is wanted."""
    wanted = cut.get("channel", recording.get("channel_ids"))
    wanted = set(wanted if isinstance(wanted, list) else [wanted or 0])
    for source in recording["sources"]:
        channels = source["channels"]
        if wanted <= set(channels):
            break
    else:
        raise ValueError(
            f"{place}: expected channels {sorted(wanted)} in one file, found none that "
            "holds them; store the audio: `cuts.save_audios(FOLDER)`"
        )
    found = _open_source(place, source["type"], source["source"], folder)
    if len(wanted) == len(channels):
        return found, None
    if len(wanted) > 1:
        raise ValueError(
            f"{place}: expected one channel or all, found {sorted(wanted)} of "
            f"{channels}; store the audio: `cuts.save_audios(FOLDER)`"
        )
    return found, channels.index(*wanted)


def _open_source(place: str, kind: str, source: str | bytes, folder: Path) -> Source:
    """A source of lhotse as one of ours; nothing is run or downloaded here."""
    if kind == "memory" and isinstance(source, bytes):
        return Stream(place, source)
    if kind == "command":
        return Pipe(f"{' '.join(source.split())} |")
    if kind != "file":
        raise ValueError(
            f"{place}: expected audio in a file, found the {kind} {source!r:.100}; "
            "download it first: `cuts.save_audios(FOLDER)`"
        )
    if (folder / source).exists():
        return folder / source
    return Path(os.path.abspath(source))


def _times(supervision: dict, start: float, end: float) -> tuple[float, float]:
    """Start and end (seconds) of a supervision in the recording, within its cut."""
    first = start + float(supervision["start"])
    last = first + float(supervision["duration"])
    return max(first, start), min(last, end)


def _stretch(
    place: str,
    source: Source,
    channel: int | None,
    times: tuple[float, float],
    total: float,
) -> Source:
    """Part of a source; the source itself if that is all of it (of total seconds)."""
    first, last = (round(time, 6) for time in times)
    if not 0 <= first < last <= LATEST:
        raise ValueError(
            f"{place}: expected a start from 0 s on and a later end, found {first} to "
            f"{last}; correct the cut"
        )
    whole = first == 0 and last > total - ROUNDING
    if whole and channel is None:
        return source
    return Stretch(source, first, None if whole else last, channel)
