"""A pulse train at the pitch of the features, for the vocoder to filter."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from vocos.heads import ISTFTHead

LOWEST, HIGHEST = 60.0, 500.0  # Hz
MIDDLE = math.sqrt(LOWEST * HIGHEST)


class Pitch(nn.Linear):
    """Pitch of every frame: (B, T, C) states to (B, T) Hz and (B, T) logits of voice.

    Args:
        dim: Width C of the states.
    """

    def __init__(self, dim: int):
        super().__init__(dim, 2)

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        octaves, voice = super().forward(states).float().unbind(-1)
        reach = math.log2(HIGHEST / MIDDLE)
        return MIDDLE * torch.exp2(octaves.clamp(-reach, reach)), voice


class HarmonicHead(ISTFTHead):
    """An STFT of which one part is a filtered pulse train, and its inverse.

    The harmonics then have the pitch and the phases of the pulses, which a network
    learns slowly to keep from frame to frame; it predicts their spectral envelope, and
    the other part, the noise. (The sources of Wang 2019 in the output of Siuzdak 2024.)

    Args:
        dim: Width of the states.
        n_fft: Window in samples.
        hop_length: Samples between frames of the STFT.
        pitch_hop: Samples between frames of the pitch.
        sample_rate: Hz.
    """

    def __init__(
        self, dim: int, n_fft: int, hop_length: int, pitch_hop: int, sample_rate: int
    ):
        super().__init__(dim, n_fft, hop_length, padding="center")
        self.pitch_hop, self.sample_rate = pitch_hop, sample_rate
        self.filter = nn.Linear(dim, n_fft + 2)
        nn.init.normal_(self.filter.weight, std=0.01)
        with torch.no_grad():
            self.filter.bias.zero_()[: n_fft // 2 + 1] = -3.0

    def forward(self, states: Tensor, pitch: tuple[Tensor, Tensor]) -> Tensor:
        """Map (B, T * N + 1, dim) states and (B, T + 1) pitch, as ``Pitch`` returns it,
        to (B, T * pitch_hop) samples."""
        harmonics = torch.stft(
            self.pulses(pitch),
            self.istft.n_fft,
            self.istft.hop_length,
            window=self.istft.window,
            pad_mode="constant",
            return_complex=True,
        )
        harmonics = harmonics * _complex(self.filter(states))
        return self.istft(harmonics + _complex(self.out(states)))

    def pulses(self, pitch: tuple[Tensor, Tensor]) -> Tensor:
        """The pulse train of a pitch (B, T + 1), (B, T * pitch_hop) samples."""
        hertz, voice = pitch
        voiced = (voice > 0).float()
        return pulse_train(hertz, voiced, self.pitch_hop, self.sample_rate)


def _complex(outputs: Tensor) -> Tensor:
    """(B, T, 2 * N) log magnitudes and phases to (B, N, T) complex numbers."""
    log_magnitude, phase = outputs.transpose(1, 2).chunk(2, dim=1)
    return torch.polar(log_magnitude.exp().clamp(max=1e2), phase)


def pulse_train(pitch: Tensor, voiced: Tensor, hop: int, sample_rate: int) -> Tensor:
    """Pulses of unit power without aliases: all harmonics below half the sample rate.

    Args:
        pitch: (B, T + 1) Hz, at the multiples of ``hop``.
        voiced: (B, T + 1) from 0 to 1, the level.
        hop: Samples per frame.
        sample_rate: Hz.

    Returns:
        (B, T * hop) samples.
    """
    pitch, voiced = (_stretch(own, hop) for own in (pitch.double(), voiced.double()))
    half = (math.pi / sample_rate * pitch.cumsum(dim=1)).remainder(math.pi)
    half = half.clamp(1e-6, math.pi - 1e-6)
    harmonics = (sample_rate / 2 / pitch).ceil() - 1  # below half the sample rate
    # sum of cos(2 k half), k = 1 ... n, is sin((2 n + 1) half) / (2 sin(half)) - 1 / 2
    train = ((2 * harmonics + 1) * half).sin() / (2 * half.sin()) - 0.5
    return (voiced * train * (2 / harmonics).sqrt()).float()


def _stretch(frames: Tensor, hop: int) -> Tensor:
    """(B, T + 1) frames to (B, T * hop) samples, linearly between them."""
    samples = (frames.shape[1] - 1) * hop
    return F.interpolate(
        frames[:, None], size=samples + 1, mode="linear", align_corners=True
    )[:, 0, :-1]
