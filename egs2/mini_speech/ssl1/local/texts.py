"""Writes data folders with only the utterances that have a clean text.

    python local/texts.py DATA OUT [--match REGEX]

DATA holds Kaldi-style folders train, dev and test. Texts become upper-case letters and
inner apostrophes; utterances without a text, with digits, or whose id does not match
are left out and listed in OUT/left_out.tsv.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import defaultdict
from pathlib import Path

from espnet_uniwav.analysis.word_errors import normalise
from espnet_uniwav.kaldi import read_table

TABLES = ("wav.scp", "utt2spk", "speech_shape")


def main() -> None:
    """Run the command; errors are one line and exit status 1."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--match", default="", help="regular expression that ids must contain"
    )
    args = parser.parse_args()
    left_out = []
    for split in ("train", "dev", "test"):
        kept, reasons = choose(read_table(args.data / split / "text"), args.match)
        if not kept:
            sys.exit(
                f"texts.py: {args.data / split / 'text'}: none of {len(reasons)} "
                "utterances has a usable text: recognition needs transcripts "
                "(transcripts.tsv or a Kaldi data folder with text)"
            )
        copy_folder(args.data / split, args.out / split, kept)
        left_out += [(utt, split, reason) for utt, reason in reasons.items()]
        print(f"{split:5} {len(kept):6} utterances, {len(reasons)} left out")
    rows = [("utt", "split", "reason"), *left_out]
    lines = ("\t".join(row) + "\n" for row in rows)
    (args.out / "left_out.tsv").write_text("".join(lines), encoding="utf-8")


def choose(texts: dict[str, str], match: str) -> tuple[dict, dict]:
    """Divide utterances.

    Args:
        texts: Utterance -> text as in the corpus.
        match: Regular expression that the id must contain.

    Returns:
        Utterance -> clean text, and utterance -> reason why it is left out.
    """
    kept, reasons = {}, {}
    for utt, text in texts.items():
        if not re.search(match, utt):
            reasons[utt] = f"id does not match {match!r}"
        elif text == "<unk>" or not text:
            reasons[utt] = "no text"
        elif re.search(r"\d", text):
            reasons[utt] = f"digits in the text: {text}"
        elif words := normalise(text):
            kept[utt] = " ".join(words)
        else:
            reasons[utt] = f"no letters in the text: {text}"
    return kept, reasons


def copy_folder(source: Path, target: Path, texts: dict[str, str]) -> None:
    """Write a data folder with the chosen utterances and their clean texts."""
    target.mkdir(parents=True, exist_ok=True)
    tables = {name: read_table(source / name) for name in TABLES}
    tables["text"] = texts
    for name, table in tables.items():
        lines = (f"{utt} {table[utt]}\n" for utt in sorted(texts))
        (target / name).write_text("".join(lines), encoding="utf-8")
    utts = defaultdict(list)
    for utt in sorted(texts):
        utts[tables["utt2spk"][utt]].append(utt)
    lines = (f"{speaker} {' '.join(utts[speaker])}\n" for speaker in sorted(utts))
    (target / "spk2utt").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except FileNotFoundError as error:
        sys.exit(f"texts.py: {error}")
