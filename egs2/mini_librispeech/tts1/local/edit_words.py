#!/usr/bin/env python3
"""Replaces one word in each of some recordings.

    python local/edit_words.py data/lines/test/predicted.tsv OUT --num_lines 30

Of every line, the word nearest to the middle that has five letters or more and is said
once is replaced by that of the next line. Writes OUT/edited/NAME.wav, and OUT/lines.tsv
with the new texts: for `uniwav tts --lines`, which speaks all of them, and `score`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from espnet_uniwav.apps.tts.edit import align_words, replace_stretch
from espnet_uniwav.apps.tts.lines import Line, read_lines, write_lines
from espnet_uniwav.apps.tts.synthesizer import Synthesizer
from espnet_uniwav.cli.commands import VOICE
from espnet_uniwav.io.audio import read_speech, write_speech

LETTERS = 5


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("lines", type=Path, help="table of tts1, stage 3")
    parser.add_argument("output", type=Path)
    parser.add_argument("--num_lines", type=int, default=30)
    parser.add_argument("--model", default=VOICE)
    args = parser.parse_args()
    lines = read_lines(args.lines, ("name", "text", "reference"))
    lines = [line for line in lines if middle_word(line.text)][: args.num_lines]
    words = [middle_word(line.text) for line in lines]
    synthesizer = Synthesizer.from_pretrained(args.model)
    folder = args.output / "edited"
    folder.mkdir(parents=True, exist_ok=True)
    changed = []
    for line, word, new in zip(lines, words, words[1:] + words[:1]):
        speech = edited(synthesizer, line, word, new)
        write_speech(folder / f"{line.name}.wav", speech, synthesizer.sample_rate)
        text = " ".join(new if own == word else own for own in line.text.split())
        changed.append(replace(line, text=text, phones="", durations=""))
    write_lines(args.output / "lines.tsv", changed)


def middle_word(text: str) -> str | None:
    """The word to replace; None if there is none."""
    words = text.split()
    usable = [
        place
        for place, word in enumerate(words)
        if len(word) >= LETTERS and words.count(word) == 1
    ]
    middle = (len(words) - 1) / 2
    return words[min(usable, key=lambda p: abs(p - middle))] if usable else None


def edited(synthesizer: Synthesizer, line: Line, word: str, new: str) -> np.ndarray:
    """The recording of a line, in which a word is replaced."""
    phones, stretch = align_words(line.reference, line.text, word)
    speech = read_speech(line.reference, synthesizer.sample_rate)
    return replace_stretch(synthesizer, speech, phones, stretch, new)


if __name__ == "__main__":
    main()
