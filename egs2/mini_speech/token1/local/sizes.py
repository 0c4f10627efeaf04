"""Compares the size of codes with FLAC and Opus.

    python local/sizes.py WAV_SCP CODES [CODES ...]

CODES are folders of `uniwav tokenize`. Opus is libsndfile's at its lowest rates.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from espnet_uniwav.apps.tokenizer.files import read_codes
from espnet_uniwav.cli.command import run_script
from espnet_uniwav.io.audio import read_speech
from espnet_uniwav.io.kaldi import read_data_folder

RATE = 16000
AUDIO = {
    "wav, 16 bit": dict(format="WAV", subtype="PCM_16"),
    "FLAC": dict(format="FLAC", subtype="PCM_16", compression_level=1.0),
    "Opus, level 0.9": dict(format="OGG", subtype="OPUS", compression_level=0.9),
    "Opus, level 1 (lowest)": dict(format="OGG", subtype="OPUS", compression_level=1.0),
}


def sizes(wav_scp: Path, codes: Sequence[Path], codebook_size: int = 1024) -> None:
    """Print the table.

    Args:
        wav_scp: Table of names and audio files.
        codes: Output folders of ``uniwav tokenize``.
        codebook_size: Values of a code.
    """
    speech = {u.name: read_speech(u.path, RATE) for u in read_data_folder(wav_scp)}
    seconds = sum(map(len, speech.values())) / RATE
    found = {
        name: sum(map(lambda own: audio_bytes(own, **how), speech.values()))
        for name, how in AUDIO.items()
    }
    for folder in codes:
        own = read_codes(folder)
        if missing := speech.keys() - own.keys():
            raise ValueError(f"{folder} lacks {len(missing)} of {len(speech)} names")
        text = sum(p.stat().st_size for p in folder.glob("codes_*"))
        kept = [own[name] for name in speech]
        found[f"{folder}, text"] = text
        found[f"{folder}, npz"] = sum(map(npz_bytes, kept))
        bits = math.log2(codebook_size)
        found[f"{folder}, packed"] = sum(math.ceil(x.size * bits / 8) for x in kept)
    print(f"{len(speech)} utterances, {seconds:.0f} s\n\n| | bytes | kbit/s |")
    print("|---|---|---|")
    for name, size in found.items():
        print(f"| {name} | {size} | {8e-3 * size / seconds:.2f} |")


def audio_bytes(speech: np.ndarray, **how) -> int:
    """Size of an encoded file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, speech, RATE, **how)
    return len(buffer.getvalue())


def npz_bytes(codes: np.ndarray) -> int:
    """Size as `uniwav tokenize --format npz` writes it."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, codes=codes.astype(np.uint16))
    return len(buffer.getvalue())


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(sizes, "wav_scp codes", argv)


if __name__ == "__main__":
    main()
