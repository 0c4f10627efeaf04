"""Writes Kaldi-style data folders of the unpacked LibriSpeech.

    python -m espnet_uniwav.lab.corpora.librispeech_parts LIBRISPEECH OUT PART [...]

LIBRISPEECH holds train-clean-100, dev-clean, ... OUT is one data folder with all PARTs:
wav.scp with the FLAC files themselves, text, utt2spk, spk2utt and speech_shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from espnet_uniwav.cli.command import run_script
from espnet_uniwav.io.audio import SAMPLE_RATE
from espnet_uniwav.io.kaldi import write_data_folder
from espnet_uniwav.lab.corpora.librispeech import read_part


def prepare(corpus: Path, out: Path, parts: Sequence[str]) -> None:
    """Write one data folder with all parts, each table sorted by its key.

    Args:
        corpus: LibriSpeech as unpacked.
        out: Data folder to write.
        parts: Names of parts, such as train-clean-100.
    """
    rows = [row for part in parts for row in read_part(corpus, part)]
    tables = {
        "wav.scp": {row.utt: row.path for row in rows},
        "text": {row.utt: row.text for row in rows},
        "utt2spk": {row.utt: row.speaker for row in rows},
        "speech_shape": {row.utt: round(row.seconds * SAMPLE_RATE) for row in rows},
    }
    write_data_folder(out, tables)


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(prepare, "corpus out parts", argv)


if __name__ == "__main__":
    main()
