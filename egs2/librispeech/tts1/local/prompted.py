"""Turns lines to speak into a data folder for stock tts_inference.

    python local/prompted.py LINES OUT

LINES is aligned.tsv of espnet_uniwav.apps.tts.pick_lines. OUT/wav.scp has the prompts,
OUT/text the phones of prompt, `<sos/eos>` and what is spoken; OUT/words its words,
OUT/references its recordings.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from espnet_uniwav.apps.phones.from_text import Phonemizer
from espnet_uniwav.apps.tts.lines import read_lines
from espnet_uniwav.io.output import write_text

NEEDED_COLUMNS = ("name", "text", "prompt", "prompt_text", "reference")


def main() -> None:
    """Run the command; errors are one line and exit status 1."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("lines", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    phonemize = Phonemizer()
    names = ("wav.scp", "text", "utt2spk", "spk2utt", "references", "words")
    tables = {name: [] for name in names}
    lines = read_lines(args.lines, NEEDED_COLUMNS)
    for line in sorted(lines, key=lambda line: line.name):
        told = " ".join(phonemize(line.prompt_text))
        spoken = " ".join(phonemize(line.text))
        name = line.name
        tables["wav.scp"].append(f"{name} {line.prompt}\n")
        tables["text"].append(f"{name} {told} <sos/eos> {spoken}\n")
        tables["utt2spk"].append(f"{name} {name}\n")
        tables["spk2utt"].append(f"{name} {name}\n")
        tables["references"].append(f"{name} {line.reference}\n")
        tables["words"].append(f"{name} {line.text}\n")
    args.out.mkdir(parents=True, exist_ok=True)
    for name, lines in tables.items():
        write_text(args.out / name, "".join(lines))


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"prompted.py: {error}")
