"""Writes the training data of `tts: uniwav`: phones of each utterance, and durations.

    python -m espnet_uniwav.lab.align.write_durations DATA ALIGNMENT [OPTION ...]

ALIGNMENT is a folder of `uniwav align`. Utterances that were not aligned are left out
of DATA/phones, DATA/durations and DATA/phones_shape. Phones that end a word are marked
(Z_E), if the alignment has words. All phones, with and without the mark, are written to
FILE.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from espnet_uniwav.apps.phones.ctm import read_ctm
from espnet_uniwav.apps.phones.durations import token_durations
from espnet_uniwav.apps.phones.word_ends import mark_word_ends, unmarked
from espnet_uniwav.cli.command import run_script
from espnet_uniwav.io.audio import SAMPLE_RATE
from espnet_uniwav.io.input import fields
from espnet_uniwav.io.kaldi import read_table
from espnet_uniwav.io.output import write_text


def write_durations(
    data: Path, alignment: Path, frame_rate: float = 50, token_list: Path | None = None
) -> str:
    """Write the tables beside the speech; say how many.

    Args:
        data: Data folder.
        alignment: Output folder of ``uniwav align``.
        frame_rate: Frames per second (Hz).
        token_list: File to write: all phones.
    """
    segments = read_ctm(alignment / "phones.ctm")
    words = alignment / "words.ctm"
    words = read_ctm(words) if words.is_file() else {}
    tables = {"phones": {}, "durations": {}, "phones_shape": {}}
    samples = read_table(data / "speech_shape")
    if unknown := sorted(set(segments) - set(samples)):
        raise ValueError(
            f"{alignment / 'phones.ctm'}: {unknown[0]} is not in "
            f"{data / 'speech_shape'}: align this data folder again"
        )
    for utt, own in segments.items():
        frames = int(np.ceil(int(samples[utt]) * frame_rate / SAMPLE_RATE))
        own = mark_word_ends(own, words.get(utt, ()))
        labels, counts = token_durations(own, frames, frame_rate)
        tables["phones"][utt] = " ".join(labels)
        tables["durations"][utt] = " ".join(map(str, counts))
        tables["phones_shape"][utt] = samples[utt]
    for name, table in tables.items():
        lines = (f"{utt} {table[utt]}\n" for utt in sorted(table))
        write_text(data / name, "".join(lines))
    if token_list:
        phones = {phone for line in tables["phones"].values() for phone in fields(line)}
        phones |= {unmarked(phone) for phone in phones}
        tokens = ["<blank>", "<unk>", *sorted(phones), "<sos/eos>"]
        write_text(token_list, "\n".join(tokens) + "\n")
    return f"{data}: {len(segments)} of {len(samples)} utterances have durations"


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(write_durations, "data alignment", argv)


if __name__ == "__main__":
    main()
