#!/usr/bin/env python3
"""Replaces one word in each of some recordings.

    python local/edit_words.py data/lines/test/predicted.tsv OUT --num_lines 30

Of every line, the word nearest to the middle that has five letters or more and is said
once is replaced by that of the next line. Writes OUT/edited/NAME.wav, and OUT/lines.tsv
with the new texts: for `uniwav tts --lines`, which speaks all of them, and `score`.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from espnet_uniwav.cli.options import VOICE
from espnet_uniwav.data.audio import read_speech, write_speech
from espnet_uniwav.tasks.reader import load_reader
from espnet_uniwav.tts.edit import align_words, replace_stretch
from espnet_uniwav.tts.reader import Manner

LETTERS = 5


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("lines", type=Path, help="table of tts1, stage 3")
    parser.add_argument("output", type=Path)
    parser.add_argument("--num_lines", type=int, default=30)
    parser.add_argument("--model", default=VOICE)
    args = parser.parse_args()
    with args.lines.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file, delimiter="\t"))
    lines = [line for line in lines if middle_word(line["text"])][: args.num_lines]
    words = [middle_word(line["text"]) for line in lines]
    reader = load_reader(args.model)
    folder = args.output / "edited"
    folder.mkdir(parents=True, exist_ok=True)
    for line, word, new in zip(lines, words, words[1:] + words[:1]):
        speech = edited(reader, line, word, new)
        write_speech(folder / f"{line['name']}.wav", speech, 16000)
        text = [new if own == word else own for own in line["text"].split()]
        line.update(text=" ".join(text), phones="", durations="")
    with (args.output / "lines.tsv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, lines[0], delimiter="\t")
        writer.writeheader()
        writer.writerows(lines)


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


def edited(reader, line: dict, word: str, new: str):
    """The recording of a line, in which a word is replaced."""
    recording = line["reference"]
    phones, stretch = align_words(recording, line["text"], word)
    speech = read_speech(recording, 16000)
    manner = Manner(reader.sampling)
    return replace_stretch(reader, speech, phones, stretch, new, manner)


if __name__ == "__main__":
    main()
