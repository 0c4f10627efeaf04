"""Judge generated speech: words, voice, naturalness, time.

Scores folders of wav files written by `uniwav tts --lines`. For comparison it scores
the recordings and their Griffin-Lim copies (upper bounds) and other speakers (lower
bound of similarity).

WER and CER by Whisper tiny.en, speaker similarity to the prompt by Resemblyzer,
naturalness by DistillMOS: all from packages, without a download. Means with 95 %
intervals over utterances. Writes to OUT: scores.md, scores.csv, index.html with
players, sections.json (the same, for `uniwav report --speech OUT`) and cache.json. With
--match, only lines whose reference path matches a regular expression are scored.

examples:
  uniwav score lines.tsv ours=OUT theirs=OTHER --output SCORES --baseline theirs
"""

from __future__ import annotations

import argparse
from pathlib import Path

from espnet_uniwav.cli.command import make_parser, run_command
from espnet_uniwav.cli.options import add_num_utterances, add_vocoder

WORK = "espnet_uniwav.lab.score.speech:score"


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = make_parser("score", __doc__)
    parser.add_argument(
        "lines", type=Path, help="table with name, text, prompt, reference, speaker"
    )
    parser.add_argument(
        "systems",
        nargs="*",
        default=[],
        metavar="NAME=FOLDER",
        help="systems to score",
    )
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    parser.add_argument(
        "--codec",
        type=Path,
        metavar="FOLDER",
        help="also score copies by a `uniwav codec`",
    )
    parser.add_argument("--title", default="Generated speech", help="title of the page")
    parser.add_argument(
        "--match", default="", help="regular expression on reference paths"
    )
    add_num_utterances(parser)
    parser.add_argument("--players", type=int, default=6, help="lines with players")
    parser.add_argument(
        "--frame_rate", type=int, default=50, help="frame rate of the copies (Hz)"
    )
    parser.add_argument(
        "--cache", type=Path, help="file of cached scores (default: OUT/cache.json)"
    )
    parser.add_argument(
        "--baseline",
        metavar="NAME",
        help="also write the differences of all systems from this one, paired",
    )
    add_vocoder(parser)
    return parser


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), WORK, cmd)


if __name__ == "__main__":
    main()
