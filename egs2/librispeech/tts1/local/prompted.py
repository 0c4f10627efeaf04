"""Turns lines to speak into a data folder for stock tts_inference.

    python local/prompted.py LINES OUT

LINES is aligned.tsv of espnet_uniwav.apps.tts.pick_lines. OUT/wav.scp has the prompts,
OUT/text the phones of prompt, `<sos/eos>` and what is spoken; OUT/words its words,
OUT/references its recordings.
"""

from __future__ import annotations

from pathlib import Path

from espnet_uniwav.apps.phones.from_text import Phonemizer
from espnet_uniwav.apps.tts.lines import read_lines
from espnet_uniwav.cli.command import run_script
from espnet_uniwav.io.output import write_text

NEEDED_COLUMNS = ("name", "text", "prompt", "prompt_text", "reference")


def write_prompted(lines: Path, out: Path) -> None:
    """Write the data folder.

    Args:
        lines: Table aligned.tsv of ``pick_lines``.
        out: Data folder to write.
    """
    phonemize = Phonemizer()
    names = ("wav.scp", "text", "utt2spk", "spk2utt", "references", "words")
    tables = {name: [] for name in names}
    found = read_lines(lines, NEEDED_COLUMNS)
    for line in sorted(found, key=lambda line: line.name):
        told = " ".join(phonemize(line.prompt_text))
        spoken = " ".join(phonemize(line.text))
        name = line.name
        tables["wav.scp"].append(f"{name} {line.prompt}\n")
        tables["text"].append(f"{name} {told} <sos/eos> {spoken}\n")
        tables["utt2spk"].append(f"{name} {name}\n")
        tables["spk2utt"].append(f"{name} {name}\n")
        tables["references"].append(f"{name} {line.reference}\n")
        tables["words"].append(f"{name} {line.text}\n")
    out.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        write_text(out / name, "".join(rows))


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(write_prompted, "lines out", argv)


if __name__ == "__main__":
    main()
