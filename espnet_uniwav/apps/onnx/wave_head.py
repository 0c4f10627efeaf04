"""The head of a vocoder without complex numbers, which ONNX does not have."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from espnet_uniwav.apps.vocoder.harmonics import HarmonicHead


class WaveHead(nn.Module):
    """``ISTFTHead`` or ``HarmonicHead``, whose STFTs are convolutions.

    Their kernels (2 * N, 1, n_fft) hold the windowed cosines and sines of the N = n_fft
    / 2 + 1 parts of a frame. (The STFT of onnxruntime is slow if n_fft is no power of
    two.)

    Args:
        head: Of a ``Vocoder``; its frames are centred.
    """

    def __init__(self, head: nn.Module):
        super().__init__()
        self.head = head
        self.size, self.hop = head.istft.n_fft, head.istft.hop_length
        window = head.istft.window.cpu().double()
        time = torch.arange(self.size)
        part = torch.arange(self.size // 2 + 1)[:, None]
        angle = 2 * torch.pi / self.size * (part * time % self.size).double()
        # All parts but the first and the last stand for their conjugates, too.
        share = torch.full_like(part, 2, dtype=torch.double)
        share[0] = share[-1] = 1
        analysis = window * torch.cat((angle.cos(), -angle.sin()))
        synthesis = analysis * torch.cat((share, share)) / self.size
        kernels = dict(
            analysis=analysis, synthesis=synthesis, envelope=window.square()[None]
        )
        for name, kernel in kernels.items():
            self.register_buffer(name, kernel[:, None].float(), persistent=False)

    def forward(self, states: Tensor, pitch: tuple[Tensor, Tensor] | None) -> Tensor:
        """What ``Vocoder.states`` returns to (B, S) samples."""
        real, imaginary = self._polar(self.head.out(states))
        if isinstance(self.head, HarmonicHead):
            pulses = self._stft(self.head.pulses(pitch))
            filtered = self._polar(self.head.filter(states))
            real = real + pulses[0] * filtered[0] - pulses[1] * filtered[1]
            imaginary = imaginary + pulses[0] * filtered[1] + pulses[1] * filtered[0]
        return self._inverse(torch.cat((real, imaginary), dim=1))

    def _polar(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, 2 * N) log magnitudes and phases to two parts (B, N, T)."""
        log_magnitude, phase = outputs.transpose(1, 2).chunk(2, dim=1)
        magnitude = log_magnitude.exp().clamp(max=1e2)
        return magnitude * phase.cos(), magnitude * phase.sin()

    def _stft(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """(B, S) samples to two parts (B, N, T)."""
        options = dict(stride=self.hop, padding=self.size // 2)
        return F.conv1d(samples[:, None], self.analysis, **options).chunk(2, dim=1)

    def _inverse(self, spectrum: Tensor) -> Tensor:
        """(B, 2 * N, T) to ((T - 1) * hop) samples, by overlap and add."""
        options = dict(stride=self.hop, padding=self.size // 2)
        sums = F.conv_transpose1d(spectrum, self.synthesis, **options)
        weights = F.conv_transpose1d(
            torch.ones_like(spectrum[:1, :1]), self.envelope, **options
        )
        return (sums / weights)[:, 0]
