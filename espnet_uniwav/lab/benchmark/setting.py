"""What all systems of ``steps`` share: the sizes and the audio."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from espnet_uniwav.io.audio import SAMPLE_RATE
from espnet_uniwav.io.config import resolve

CONV_LAYERS = [(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512, 2, 2)] * 2
HEAD_DIM = 64


@dataclass(frozen=True)
class Setting:
    """Shared settings of all systems.

    Args:
        size: Layers x width of the encoder, ``6x384``; heads are 64 wide, the FFN four
            times the width.
        batch: Utterances per step.
        seconds: Length of each utterance.
        num_classes: Labels of the HuBERT routes.
        threads: Threads of torch (set by the process, as ``malloc`` is).
        device: ``cpu`` or ``cuda``.
        dtype: ``fp32``, or ``fp16`` or ``bf16`` (autocast).
        wav: Files (16 kHz) to cut the audio from; none means speech-like noise.
        conf: Recipe of our model (yaml), whose sizes are replaced.
        seed: Seed of audio, labels, masks and weights.
    """

    size: str
    batch: int
    seconds: float
    num_classes: int
    threads: int
    malloc: str
    device: str
    dtype: str
    wav: list[str]
    conf: str
    seed: int

    @property
    def num_layers(self) -> int:
        return int(self.size.split("x")[0])

    @property
    def embed_dim(self) -> int:
        return int(self.size.split("x")[1])

    @property
    def num_heads(self) -> int:
        return self.embed_dim // HEAD_DIM

    @property
    def ffn_dim(self) -> int:
        return 4 * self.embed_dim

    def recipe(self) -> dict:
        """Read ``conf`` with its includes."""
        return resolve(self.conf)

    @property
    def num_samples(self) -> int:
        return round(self.seconds * SAMPLE_RATE)

    @property
    def num_conv_frames(self) -> int:
        """Frames that the wav2vec 2.0 convolutions make of one utterance."""
        length = self.num_samples
        for _, kernel, stride in CONV_LAYERS:
            length = (length - kernel) // stride + 1
        return length


def speech_like_noise(num_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Make noise with a falling spectrum and four swells a second."""
    spectrum = np.fft.rfft(rng.standard_normal(num_samples))
    hertz = np.fft.rfftfreq(num_samples, 1 / SAMPLE_RATE)
    noise = np.fft.irfft(spectrum / (1 + hertz / 500), num_samples)
    swell = 1 + np.sin(2 * np.pi * 4 * np.arange(num_samples) / SAMPLE_RATE)
    return 0.05 * noise / noise.std() * swell


def read_wavs(paths: list[str]) -> np.ndarray:
    """Read and join files.

    Raises:
        ValueError: If a file is not mono at 16 kHz.
    """
    import soundfile

    parts = []
    for path in paths:
        wav, rate = soundfile.read(path, dtype="float32")
        if rate != SAMPLE_RATE or wav.ndim != 1:
            raise ValueError(
                f"{path}: expected mono at {SAMPLE_RATE} Hz, found shape {wav.shape} "
                f"at {rate} Hz; convert it first (sox IN -r 16000 -c 1 OUT)"
            )
        parts.append(wav)
    return np.concatenate(parts)


def make_audio(setting: Setting) -> torch.Tensor:
    """Make the input batch of all systems, shape (B, S)."""
    total = setting.batch * setting.num_samples
    if setting.wav:
        audio = np.resize(read_wavs(setting.wav), total)
    else:
        audio = speech_like_noise(total, np.random.default_rng(setting.seed))
    return torch.from_numpy(audio.astype(np.float32)).view(setting.batch, -1)
