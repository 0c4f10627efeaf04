"""Log-mel spectra: the default feature space, inverted by Griffin-Lim."""

from __future__ import annotations

import torch
from torch import Tensor
from torchaudio.functional import griffinlim, melscale_fbanks
from typeguard import typechecked

from espnet_uniwav.core.features.base import AbsFeatures, FeatureSpec, per_dim

# Mean and standard deviation of the log magnitudes of the speech of the recipes.
MEAN, STD = -5.7, 2.05


class LogMel(AbsFeatures):
    """log(mel |STFT|) at 50 or 100 frames per second.

    Frame i is centred at sample i * hop of the waveform, with zeros outside it, so
    neither the batch nor its padding changes a frame.

    Args:
        frame_rate: Frames per second (Hz); must divide the sample rate.
        sample_rate: Samples per second (Hz).
        num_mels: Mel bands F, from 0 Hz to half the sample rate.
        fft_size: Samples per window and Fourier transform.
        floor: Smallest mel magnitude before the logarithm.
        mean: Global mean of the raw features: one value, or ``num_mels``.
        std: Global standard deviation: one value, or ``num_mels``.
        griffin_lim_iterations: Iterations of phase estimation in ``synthesise``.
    """

    @typechecked
    def __init__(
        self,
        frame_rate: int = 50,
        sample_rate: int = 16000,
        num_mels: int = 80,
        fft_size: int = 1024,
        floor: float = 1e-5,
        mean: float | list[float] = MEAN,
        std: float | list[float] = STD,
        griffin_lim_iterations: int = 60,
    ):
        super().__init__()
        if sample_rate % frame_rate:
            raise ValueError(
                f"frame_rate {frame_rate} Hz must divide sample_rate {sample_rate} Hz"
            )
        self.fft_size = fft_size
        self.floor = floor
        self.griffin_lim_iterations = griffin_lim_iterations
        self.spec = FeatureSpec(
            name="log_mel",
            sample_rate=sample_rate,
            hop_length=sample_rate // frame_rate,
            dim=num_mels,
            mean=per_dim(mean, num_mels, "mean"),
            std=per_dim(std, num_mels, "std"),
            conf=dict(
                frame_rate=frame_rate,
                sample_rate=sample_rate,
                num_mels=num_mels,
                fft_size=fft_size,
                floor=floor,
            ),
        )
        mel = _mel_filters(sample_rate, num_mels, fft_size)
        self.register_buffer("window", torch.hann_window(fft_size), persistent=False)
        self.register_buffer("mel", mel, persistent=False)
        inverse = torch.linalg.pinv(mel.double()).float()
        self.register_buffer("mel_inverse", inverse, persistent=False)

    def analyse(self, speech: Tensor) -> Tensor:
        """Map (B, S) samples to (B, ceil(S / hop), F) log-mel magnitudes."""
        if not speech.shape[1]:
            return speech.new_zeros(len(speech), 0, self.spec.dim)
        half = self.fft_size // 2
        spectrum = torch.stft(
            torch.nn.functional.pad(speech, (half, half - 1)),
            self.fft_size,
            self.spec.hop_length,
            window=self.window,
            center=False,
            return_complex=True,
        ).abs()
        return (spectrum.transpose(1, 2) @ self.mel).clamp(min=self.floor).log()

    def synthesise(self, raw: Tensor) -> Tensor:
        """Map (B, T, F) log-mel magnitudes to (B, T * hop) samples.

        Magnitudes come from the pseudo-inverse of the mel filters, phases from fast
        Griffin-Lim (Perraudin et al. 2013). It starts from zero phase, so the result
        is deterministic.
        """
        hop = self.spec.hop_length
        spectrum = (raw.exp() @ self.mel_inverse).clamp(min=0.0).transpose(1, 2)
        # One more frame, so that the centred inverse covers the last hop.
        spectrum = torch.nn.functional.pad(spectrum, (0, 1), mode="replicate")
        return griffinlim(
            spectrum,
            window=self.window,
            n_fft=self.fft_size,
            hop_length=hop,
            win_length=self.fft_size,
            power=1.0,
            n_iter=self.griffin_lim_iterations,
            momentum=0.99,
            length=raw.shape[1] * hop,
            rand_init=False,
        )


def _mel_filters(sample_rate: int, num_mels: int, fft_size: int) -> Tensor:
    """(fft_size / 2 + 1, F) filters, on the CPU whatever the default device is."""
    with torch.device("cpu"):
        return melscale_fbanks(
            fft_size // 2 + 1,
            0.0,
            sample_rate / 2,
            num_mels,
            sample_rate,
            norm="slaney",
            mel_scale="slaney",
        )
