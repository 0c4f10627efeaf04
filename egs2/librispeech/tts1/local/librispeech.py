"""Writes Kaldi-style data folders of LibriSpeech as it is unpacked.

    python local/librispeech.py LIBRISPEECH OUT PART [PART ...]

LIBRISPEECH holds train-clean-100, dev-clean, ...; OUT gets one folder with all PARTs:
wav.scp with the FLAC files themselves, text, utt2spk, spk2utt and speech_shape.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path

import soundfile
from tqdm import tqdm


def main() -> None:
    """Run the command; errors are one line and exit status 1."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("parts", nargs="+", metavar="PART")
    args = parser.parse_args()
    tables = {name: {} for name in ("wav.scp", "text", "utt2spk", "speech_shape")}
    for part in args.parts:
        transcripts = sorted((args.corpus / part).glob("*/*/*.trans.txt"))
        if not transcripts:
            sys.exit(f"librispeech.py: {args.corpus / part}: no */*/*.trans.txt there")
        for path in tqdm(transcripts, desc=part, unit="chapter"):
            read_chapter(path, tables)
    write_folder(args.out, tables)


def read_chapter(path: Path, tables: dict[str, dict]) -> None:
    """Add the utterances of one transcript; speakers are readers, not chapters."""
    for line in path.read_text(encoding="utf-8").splitlines():
        utt, text = line.split(maxsplit=1)
        audio = path.with_name(f"{utt}.flac").absolute()
        tables["wav.scp"][utt] = audio
        tables["text"][utt] = text
        tables["utt2spk"][utt] = utt.split("-")[0]
        tables["speech_shape"][utt] = soundfile.info(audio).frames


def write_folder(folder: Path, tables: dict[str, dict]) -> None:
    """Write sorted tables, and speakers with their utterances."""
    folder.mkdir(parents=True, exist_ok=True)
    speakers = defaultdict(list)
    for utt, speaker in sorted(tables["utt2spk"].items()):
        speakers[speaker].append(utt)
    utts = {speaker: " ".join(own) for speaker, own in speakers.items()}
    for name, table in {**tables, "spk2utt": utts}.items():
        lines = (f"{key} {value}\n" for key, value in sorted(table.items()))
        (folder / name).write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"librispeech.py: {error}")
