"""Cuts the unpacked Libri-Light into segments for ESPnet's recipes.

    python local/librilight.py LIBRILIGHT OUT

LIBRILIGHT holds small, medium, large: PART/SPEAKER/BOOK/NAME.flac, hours long, and
NAME.json next to it with `voice_activity`, the times of speech. Stretches of speech are
joined up to --max_seconds, with the pauses between them; longer ones are cut. Writes
wav.scp (the recordings), segments, utt2spk and text (`<unk>`) to OUT/train and OUT/dev;
the speakers of dev are drawn by hash. Unusable recordings are listed in
OUT/skipped.tsv.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import soundfile
from tqdm import tqdm

from espnet_uniwav.cli.command import run_script
from espnet_uniwav.io.kaldi import hash_share
from espnet_uniwav.io.output import write_text

PARTS = ("small", "medium", "large", "unlab-6k", "unlab-60k")


def write_segments(
    corpus: Path,
    out: Path,
    max_seconds: float = 30.0,
    min_seconds: float = 2.0,
    dev_share: float = 0.002,
) -> str:
    """Write the data folders.

    Args:
        corpus: Libri-Light as unpacked.
        out: Folder to write.
        max_seconds: Longest segment.
        min_seconds: Shortest segment.
        dev_share: Share of the speakers drawn for dev.
    """
    recordings = sorted(
        path for part in PARTS for path in (corpus / part).glob("*/*/*.flac")
    )
    if not recordings:
        raise ValueError(
            f"{corpus}: expected PART/SPEAKER/BOOK/NAME.flac with a part of "
            f"{', '.join(PARTS)}, found none"
        )
    speakers = sorted({path.parts[-3] for path in recordings}, key=hash_share)
    held_out = set(speakers[: max(round(dev_share * len(speakers)), 1)])
    if len(held_out) == len(speakers):
        raise ValueError(f"{corpus}: expected two speakers or more, found one")
    folders = {name: Folder(out / name) for name in ("train", "dev")}
    skipped = []
    for path in tqdm(recordings, unit="recording", disable=None):
        name = "dev" if path.parts[-3] in held_out else "train"
        try:
            spans = list(cut(read_activity(path), max_seconds, min_seconds))
        except (ValueError, OSError) as error:
            skipped.append(f"{path}\t{error}\n")
            continue
        folders[name].add(path, spans)
    out.mkdir(parents=True, exist_ok=True)
    lines = "".join(["path\treason\n", *skipped])
    write_text(out / "skipped.tsv", lines)
    for name, folder in folders.items():
        print(f"{folder.close()}, {name}")
    said = f"{len(skipped)} of {len(recordings)} recordings skipped"
    if len(skipped) == len(recordings):
        raise ValueError(f"{said}: {out / 'skipped.tsv'} says why")
    return said


def read_activity(path: Path) -> list[tuple[float, float]]:
    """Read the stretches of speech (seconds) of a recording, in order.

    Raises:
        ValueError, OSError: If the recording or its description cannot be read.
    """
    described = path.with_suffix(".json")
    if not described.is_file():
        raise ValueError(f"{described.name} is missing")
    found = json.loads(described.read_text(encoding="utf-8")).get("voice_activity")
    if not found:
        raise ValueError(f"{described.name} has no voice_activity")
    try:
        end = soundfile.info(path).duration
    except soundfile.LibsndfileError as error:
        raise ValueError(f"cannot be read as audio ({error})") from error
    return sorted((float(a), min(float(b), end)) for a, b in found if a < end)


def cut(
    stretches: list[tuple[float, float]], longest: float, shortest: float
) -> Iterator[tuple[float, float]]:
    """Join stretches up to the longest segment, and cut those that are longer."""
    joined: list[list[float]] = []
    for start, end in stretches:
        if joined and end - joined[-1][0] <= longest:
            joined[-1][1] = max(end, joined[-1][1])
        else:
            joined.append([start, end])
    for start, end in joined:
        number = max(math.ceil((end - start) / longest - 1e-6), 1)
        step = (end - start) / number
        if step >= shortest:
            yield from (
                (start + i * step, start + (i + 1) * step) for i in range(number)
            )


class Folder:
    """One Kaldi data folder, written in Kaldi's order when it is closed."""

    def __init__(self, path: Path):
        self.path = path
        self.tables = {name: {} for name in ("wav.scp", "segments", "utt2spk", "text")}

    def add(self, recording: Path, spans: list[tuple[float, float]]) -> None:
        """Add the segments of one recording."""
        speaker, book, name = (*recording.parts[-3:-1], recording.stem)
        key = f"{speaker}-{book}-{name}"
        if spans:
            self.tables["wav.scp"][key] = recording.absolute()
        for start, end in spans:
            utt = f"{key}-{round(100 * start):07d}-{round(100 * end):07d}"
            self.tables["segments"][utt] = f"{key} {start:.2f} {end:.2f}"
            self.tables["utt2spk"][utt] = speaker
            self.tables["text"][utt] = "<unk>"

    def close(self) -> str:
        """Write the tables; return a summary."""
        self.path.mkdir(parents=True, exist_ok=True)
        for name, table in self.tables.items():
            lines = (f"{key} {value}\n" for key, value in sorted(table.items()))
            write_text(self.path / name, "".join(lines))
        spans = (v.rsplit(" ", 2)[1:] for v in self.tables["segments"].values())
        hours = sum(float(end) - float(start) for start, end in spans) / 3600
        return f"{len(self.tables['segments'])} segments, {hours:.1f} hours"


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(write_segments, "corpus out", argv)


if __name__ == "__main__":
    main()
