"""Writes data folders with only the utterances that have a clean text.

    python -m espnet_uniwav.lab.corpora.texts DATA OUT [--match REGEX]

DATA holds Kaldi-style folders train, dev and test. Texts become upper-case letters and
inner apostrophes; utterances without a text, with digits, or whose id does not match
are left out and listed in OUT/left_out.tsv.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from espnet_uniwav.cli.command import run_script
from espnet_uniwav.io.kaldi import read_table, refuse_segments, write_data_folder
from espnet_uniwav.io.tables import write_tsv

TABLES = ("wav.scp", "utt2spk", "speech_shape")


def keep_texts(data: Path, out: Path, match: str = "") -> str:
    """Write the data folders and the list of what is left out; say how many.

    Args:
        data: Folder of data folders train, dev and test.
        out: Folder to write.
        match: Regular expression that an id must contain.
    """
    left_out, said = [], []
    for split in ("train", "dev", "test"):
        kept, reasons = choose(read_table(data / split / "text"), match)
        if not kept:
            raise ValueError(
                f"{data / split / 'text'}: none of {len(reasons)} "
                "utterances has a usable text: recognition needs transcripts "
                "(transcripts.tsv or a Kaldi data folder with text)"
            )
        copy_folder(data / split, out / split, kept)
        left_out += [(utt, split, reason) for utt, reason in reasons.items()]
        said.append(f"{split:5} {len(kept):6} utterances, {len(reasons)} left out")
    write_tsv(out / "left_out.tsv", ("utt", "split", "reason"), left_out)
    return "\n".join(said)


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


def normalise(text: str) -> list[str]:
    """Upper-case words of letters and inner apostrophes.

    Digits are dropped, so a number that the recogniser writes as ``18`` counts as
    missing: a noise that is the same for every system.
    """
    text = unicodedata.normalize("NFKC", text).replace("\u2019", "'").upper()
    words = re.sub(r"[^\w']|[\d_]", " ", text).split()
    return [word for word in (word.strip("'") for word in words) if word]


def copy_folder(source: Path, target: Path, texts: dict[str, str]) -> None:
    """Write a data folder with the chosen utterances and their clean texts."""
    refuse_segments(source)
    tables = {name: read_table(source / name) for name in TABLES}
    kept = {name: {utt: table[utt] for utt in texts} for name, table in tables.items()}
    write_data_folder(target, {**kept, "text": texts})


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(keep_texts, "data out", argv)


if __name__ == "__main__":
    main()
