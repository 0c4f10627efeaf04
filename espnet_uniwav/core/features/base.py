"""Interface of all feature spaces: a spec, wav -> x, and x -> wav."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields

import torch
from torch import Tensor, nn

from espnet_uniwav.core.nn.given import NUMBERS, SAMPLES, as_lengths, as_tensor
from espnet_uniwav.core.nn.precision import full_precision


@dataclass(frozen=True)
class FeatureSpec:
    """Definition of a feature space; features are compatible if their specs are equal.

    Attributes:
        name: Name of the feature space, such as ``log_mel``.
        sample_rate: Samples per second of the waveform (Hz).
        hop_length: Samples per frame.
        dim: Width F of one frame.
        mean: Subtracted from raw features; one value, or F of them.
        std: Divides the centred features; one value, or F of them.
        conf: Constructor arguments that rebuild the feature space.
    """

    name: str
    sample_rate: int
    hop_length: int
    dim: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    conf: dict

    @property
    def frame_rate(self) -> float:
        """Frames per second (Hz)."""
        return self.sample_rate / self.hop_length

    def num_frames(self, num_samples):
        """Frames of a waveform: ceil(S / hop), for an int or a tensor of lengths."""
        return (num_samples + self.hop_length - 1) // self.hop_length

    def to_dict(self) -> dict:
        """The spec as plain yaml types."""
        return {**asdict(self), "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, values: dict) -> FeatureSpec:
        """The inverse of ``to_dict``."""
        values = {k: values[k] for k in (f.name for f in fields(cls))}
        return cls(
            **{**values, "mean": tuple(values["mean"]), "std": tuple(values["std"])}
        )


def check_spec(expected: FeatureSpec, found: FeatureSpec, where: str) -> None:
    """Refuse features other than those a checkpoint was trained on.

    Raises:
        ValueError: Naming every field that differs, with both values.
    """
    left, right = expected.to_dict(), found.to_dict()
    wrong = [
        f"{k}: expected {left[k]}, found {right[k]}"
        for k in left
        if left[k] != right[k]
    ]
    if wrong:
        raise ValueError(
            f"{where}: the features do not match: {'; '.join(wrong)}. "
            "Use the feature configuration that the checkpoint was trained with."
        )


class AbsFeatures(nn.Module, ABC):
    """A frozen, invertible map between waveforms and the space x of the flow.

    The encoder reads x and the decoder generates x, so a subclass must suit both:
    log-mel spectra with a phase estimator, or a neural codec's dense latents with the
    codec's decoder. Subclasses set ``self.spec`` and implement the raw, unnormalised
    maps.

    Attributes:
        has_checkpoint: Its weights are those of a checkpoint.
        local_arguments: Arguments that name folders of this machine.
    """

    has_checkpoint = False
    local_arguments: tuple[str, ...] = ()
    vocoder: Callable[[Tensor], Tensor] | None = None

    @property
    def spec(self) -> FeatureSpec:
        """The definition. Setting it moves mean and deviation to buffers."""
        return self._spec

    @spec.setter
    def spec(self, spec: FeatureSpec) -> None:
        self._spec = spec
        self.register_buffer("mean", torch.tensor(spec.mean), persistent=False)
        self.register_buffer("std", torch.tensor(spec.std), persistent=False)

    def use_vocoder(self, vocoder: Callable[[Tensor], Tensor] | None) -> None:
        """Replace ``synthesise`` by a vocoder.

        Args:
            vocoder: Maps (B, T, F) normalised features to (B, T * hop) samples, on the
                device of x. It is not part of this module's state. None: use
                ``synthesise`` again.
        """
        object.__setattr__(self, "vocoder", vocoder)

    @abstractmethod
    def analyse(self, speech: Tensor) -> Tensor:
        """Map (B, S) samples to raw (B, ceil(S / hop), F) features."""

    @abstractmethod
    def synthesise(self, raw: Tensor) -> Tensor:
        """Map raw (B, T, F) features to (B, T * hop) samples."""

    @torch.no_grad()
    def extract(
        self, speech: Tensor, speech_lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Waveform to normalised features.

        Args:
            speech: (B, S) samples in [-1, 1], or of 16 bits, at ``spec.sample_rate``;
                of one channel. A tensor or an array, as all of these; (S,) is a batch
                of one.
            speech_lengths: (B,) valid samples; None: all.

        Returns:
            x: (B, T, F), zero at padding.
            lengths: (B,) valid frames, ceil(samples / hop).

        Raises:
            TypeError, ValueError: If these are something else, see ``nn.given``.
        """
        speech = as_tensor(speech, "speech", "BS", SAMPLES, self.device)
        speech_lengths = as_lengths(speech_lengths, speech, "speech_lengths")
        return self.extract_batch(speech, speech_lengths)

    def extract_batch(
        self, speech: Tensor, speech_lengths: Tensor
    ) -> tuple[Tensor, Tensor]:
        """``extract`` of tensors of the right shapes, unchecked."""
        samples = torch.arange(speech.shape[1], device=speech.device)
        speech = speech.masked_fill(samples >= speech_lengths[:, None], 0.0)
        with full_precision(speech.device):
            raw = self.analyse(speech.float())
        x = (raw - self.mean.to(raw.dtype)) / self.std.to(raw.dtype)
        lengths = self.spec.num_frames(speech_lengths)
        frames = torch.arange(x.shape[1], device=x.device)
        return x.masked_fill((frames >= lengths[:, None])[..., None], 0.0), lengths

    @torch.no_grad()
    def invert(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Normalised features to waveform.

        Args:
            x: (B, T, F) normalised features; (T, F) is a batch of one.
            lengths: (B,) valid frames; None: all.

        Returns:
            speech: (B, T * hop) samples, zero at padding.
            speech_lengths: (B,) valid samples, frames * hop.

        Raises:
            TypeError, ValueError: As of ``extract``.
        """
        x = self.as_frames(x)
        lengths = as_lengths(lengths, x[..., 0])
        if self.vocoder is not None:
            speech = self.vocoder(x.float())
        else:
            speech = self.synthesise(self.denormalise(x.float()))
        speech_lengths = lengths * self.spec.hop_length
        samples = torch.arange(speech.shape[1], device=speech.device)
        return speech.masked_fill(
            samples >= speech_lengths[:, None], 0.0
        ), speech_lengths

    def extract_one(self, speech: Tensor) -> Tensor:
        """Features (T, F) of one waveform (S,), on the CPU; see ``extract``."""
        return self.extract(as_tensor(speech, "speech", "S", SAMPLES))[0][0].cpu()

    def invert_one(self, x: Tensor) -> Tensor:
        """Waveform (T * hop,), on the CPU, of one utterance's features (T, F)."""
        return self.invert(as_tensor(x, "x", "TF", NUMBERS))[0][0].cpu()

    def as_frames(self, x) -> Tensor:
        """What a caller gives as features (B, T, F), see ``nn.given``.

        Raises:
            TypeError, ValueError: As of ``as_tensor``, or if they have another width.
        """
        x = as_tensor(x, "x", "BTF", NUMBERS, self.device)
        if x.shape[-1] != self.spec.dim:
            raise ValueError(
                f"x: expected (B, T, F) with F = {self.spec.dim}, found shape "
                f"{tuple(x.shape)}"
            )
        return x.to(self.mean.dtype) if x.dtype == torch.float64 else x

    @property
    def device(self) -> torch.device:
        """Device of the transforms."""
        return next(itertools.chain(self.parameters(), self.buffers())).device

    def denormalise(self, x: Tensor) -> Tensor:
        """Normalised to raw features, (..., F)."""
        return x * self.std.to(x) + self.mean.to(x)


def per_dim(value: float | Sequence[float], dim: int, name: str) -> tuple[float, ...]:
    """Convert a mean or standard deviation to a tuple of 1 or ``dim`` values.

    Raises:
        ValueError: If the number of values is neither 1 nor ``dim``.
    """
    values = (float(value),) if isinstance(value, (int, float)) else tuple(value)
    if len(values) not in (1, dim):
        raise ValueError(f"{name} must hold 1 or {dim} values, found {len(values)}")
    return values
