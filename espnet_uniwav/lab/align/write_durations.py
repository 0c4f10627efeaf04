"""Writes the training data of `tts: uniwav`: phones of each utterance, and durations.

    python -m espnet_uniwav.lab.align.write_durations DATA ALIGNMENT [OPTION ...]

ALIGNMENT is a folder of `uniwav align`. Utterances that were not aligned are left out
of DATA/phones, DATA/durations and DATA/phones_shape. Phones that end a word are marked
(Z_E), if the alignment has words. All phones, with and without the mark, are written to
FILE.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from espnet_uniwav.apps.phones.ctm import read_ctm
from espnet_uniwav.apps.phones.durations import token_durations
from espnet_uniwav.apps.phones.word_ends import mark_word_ends, unmarked
from espnet_uniwav.cli.command import run_command
from espnet_uniwav.io.audio import SAMPLE_RATE
from espnet_uniwav.io.input import fields
from espnet_uniwav.io.kaldi import read_table
from espnet_uniwav.io.output import write_text


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="espnet_uniwav.lab.align.write_durations",
        description=__doc__.split("\n")[0],
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("alignment", type=Path)
    parser.add_argument("--frame_rate", type=float, default=50, help="Hz")
    parser.add_argument("--token_list", type=Path, help="file to write")
    return parser


def write_durations(args: argparse.Namespace) -> str:
    """Write the tables beside the speech; say how many."""
    segments = read_ctm(args.alignment / "phones.ctm")
    words = args.alignment / "words.ctm"
    words = read_ctm(words) if words.is_file() else {}
    tables = {"phones": {}, "durations": {}, "phones_shape": {}}
    samples = read_table(args.data / "speech_shape")
    if unknown := sorted(set(segments) - set(samples)):
        raise ValueError(
            f"{args.alignment / 'phones.ctm'}: {unknown[0]} is not in "
            f"{args.data / 'speech_shape'}: align this data folder again"
        )
    for utt, own in segments.items():
        frames = int(np.ceil(int(samples[utt]) * args.frame_rate / SAMPLE_RATE))
        own = mark_word_ends(own, words.get(utt, ()))
        labels, counts = token_durations(own, frames, args.frame_rate)
        tables["phones"][utt] = " ".join(labels)
        tables["durations"][utt] = " ".join(map(str, counts))
        tables["phones_shape"][utt] = samples[utt]
    for name, table in tables.items():
        lines = (f"{utt} {table[utt]}\n" for utt in sorted(table))
        write_text(args.data / name, "".join(lines))
    if args.token_list:
        phones = {phone for line in tables["phones"].values() for phone in fields(line)}
        phones |= {unmarked(phone) for phone in phones}
        tokens = ["<blank>", "<unk>", *sorted(phones), "<sos/eos>"]
        write_text(args.token_list, "\n".join(tokens) + "\n")
    return f"{args.data}: {len(segments)} of {len(samples)} utterances have durations"


def main(argv: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), write_durations, argv)


if __name__ == "__main__":
    main()
