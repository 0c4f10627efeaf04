"""Compares the size of codes with FLAC and Opus.

    python local/sizes.py WAV_SCP CODES [CODES ...]

CODES are folders of `uniwav tokenize`. Opus is libsndfile's at its lowest rates.
"""

from __future__ import annotations

import argparse
import io
import math
import sys
from pathlib import Path

import numpy as np
import soundfile

from espnet_uniwav.apps.tokenizer.files import read_codes
from espnet_uniwav.io.audio import read_speech
from espnet_uniwav.io.kaldi import read_data_folder

RATE = 16000
AUDIO = {
    "wav, 16 bit": dict(format="WAV", subtype="PCM_16"),
    "FLAC": dict(format="FLAC", subtype="PCM_16", compression_level=1.0),
    "Opus, level 0.9": dict(format="OGG", subtype="OPUS", compression_level=0.9),
    "Opus, level 1 (lowest)": dict(format="OGG", subtype="OPUS", compression_level=1.0),
}


def main() -> None:
    """Run the command; errors are one line and exit status 1."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("wav_scp", type=Path)
    parser.add_argument("codes", type=Path, nargs="+")
    parser.add_argument("--codebook_size", type=int, default=1024)
    args = parser.parse_args()
    speech = {u.name: read_speech(u.path, RATE) for u in read_data_folder(args.wav_scp)}
    seconds = sum(map(len, speech.values())) / RATE
    sizes = {
        name: sum(map(lambda own: audio_bytes(own, **how), speech.values()))
        for name, how in AUDIO.items()
    }
    for folder in args.codes:
        codes = read_codes(folder)
        if missing := speech.keys() - codes.keys():
            raise ValueError(f"{folder} lacks {len(missing)} of {len(speech)} names")
        text = sum(p.stat().st_size for p in folder.glob("codes_*"))
        kept = [codes[name] for name in speech]
        sizes[f"{folder}, text"] = text
        sizes[f"{folder}, npz"] = sum(map(npz_bytes, kept))
        bits = math.log2(args.codebook_size)
        sizes[f"{folder}, packed"] = sum(math.ceil(own.size * bits / 8) for own in kept)
    print(f"{len(speech)} utterances, {seconds:.0f} s\n\n| | bytes | kbit/s |")
    print("|---|---|---|")
    for name, size in sizes.items():
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


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"sizes.py: {error}")
