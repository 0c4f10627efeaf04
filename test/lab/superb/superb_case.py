"""A tiny corpus in Kaldi-style folders."""

from __future__ import annotations

import numpy as np
import soundfile
from factories import ROOT

RECIPE = ROOT / "egs2/mini_speech/superb1"
TEXTS = ("GOOD MORNING", "THE MORNING", "GOOD", "A ZZYXQ MORNING", "THE END")
RATE = 16000


def speech(seconds=1.2, pitch=100.0, seed=0):
    """Harmonics in noise."""
    time = np.arange(round(seconds * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 6))
    noise = np.random.default_rng(seed).normal(0, 0.02, len(time))
    return (0.1 * tone + noise).astype(np.float32)


def write_corpus(folder, per_speaker=5, texts=TEXTS, rate=RATE):
    """Two speakers in each of train, dev and test; ids with a dot, as some have."""
    for number, split in enumerate(("train", "dev", "test")):
        tables = {"wav.scp": [], "text": [], "utt2spk": []}
        for who in range(2):
            speaker = f"{split}.{who}"
            for index in range(per_speaker):
                utt = f"{speaker}-u{index}"
                path = folder / "wav" / f"{utt}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                wav = speech(pitch=90 + 30 * (2 * number + who), seed=index)
                soundfile.write(path, wav, rate)
                tables["wav.scp"].append(f"{utt} {path}")
                tables["text"].append(f"{utt} {texts[index % len(texts)]}")
                tables["utt2spk"].append(f"{utt} {speaker}")
        for name, lines in tables.items():
            (folder / split).mkdir(parents=True, exist_ok=True)
            (folder / split / name).write_text("\n".join(lines) + "\n")
    return folder
