"""A vocoder for features: x -> waveform by a network with one inverse STFT."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from espnet_uniwav.apps.vocoder.flow_vocoder import FlowVocoder
from espnet_uniwav.core.checkpoint import Checkpoint, read_checkpoint
from espnet_uniwav.core.features import (
    AbsFeatures,
    FeatureSpec,
    build_features,
    check_spec,
)
from espnet_uniwav.io.folder import packaged_models

PACKAGED, NO_VOCODER = "vocoder", "none"


class Vocoder(nn.Module):
    """Vocos (Siuzdak 2024): ConvNeXt blocks predict magnitude and phase of an STFT.

    Frames are centred at multiples of the hop, like those of the features. With
    ``upsample``, every frame becomes several, and more blocks follow at that rate: the
    pitch moves within a hop of 20 ms, and a phase is easier to predict every 5 ms. The
    network comes from the ``vocos`` package.

    Args:
        features: Feature space to invert.
        dim: Width.
        ffn_dim: Width of the feed-forward networks in the blocks.
        num_layers: Blocks at the rate of the features.
        upsample: STFT frames per frame of the features; divides the hop.
        fine_dim: Width of the blocks at that rate.
        fine_ffn_dim: Width of the feed-forward networks in them.
        fine_layers: Blocks at that rate.
        fft_size: Window of the STFT in samples; None: that of the features.
        harmonics: Predict the pitch too, and filter a pulse train of that pitch, see
            ``harmonics.HarmonicHead``.

    Raises:
        ImportError: If the package ``vocos`` is missing.
        ValueError: If ``upsample`` does not divide the hop.
    """

    kind = "vocoder"

    def __init__(
        self,
        features: AbsFeatures,
        dim: int = 256,
        ffn_dim: int = 768,
        num_layers: int = 6,
        upsample: int = 1,
        fine_dim: int = 192,
        fine_ffn_dim: int = 576,
        fine_layers: int = 3,
        fft_size: int | None = None,
        harmonics: bool = False,
    ):
        super().__init__()
        try:
            from vocos.heads import ISTFTHead
            from vocos.models import VocosBackbone
            from vocos.modules import ConvNeXtBlock

            from espnet_uniwav.apps.vocoder.harmonics import HarmonicHead, Pitch
        except ImportError as error:
            raise ImportError(f"a vocoder needs vocos: pip install it ({error})")
        self.features = features
        spec = features.spec
        if spec.hop_length % upsample:
            raise ValueError(
                f"upsample: expected a divisor of the hop of {spec.hop_length} "
                f"samples, found {upsample}"
            )
        self.backbone = VocosBackbone(spec.dim, dim, ffn_dim, num_layers)
        self.upsample = upsample
        if upsample > 1:
            self.refine = nn.Sequential(
                nn.Linear(dim, upsample * fine_dim),
                _SplitFrames(upsample),
                *(
                    ConvNeXtBlock(fine_dim, fine_ffn_dim, 1 / fine_layers)
                    for _ in range(fine_layers)
                ),
            )
            self.norm = nn.LayerNorm(fine_dim, eps=1e-6)
        size = dim if upsample == 1 else fine_dim
        fft_size = fft_size or spec.conf.get("fft_size", 4 * spec.hop_length)
        hop = spec.hop_length // upsample
        self.pitch = Pitch(dim) if harmonics else None
        self.head = (
            HarmonicHead(size, fft_size, hop, spec.hop_length, spec.sample_rate)
            if harmonics
            else ISTFTHead(size, fft_size, hop, padding="center")
        )

    @classmethod
    def from_config(cls, config: dict) -> Vocoder | FlowVocoder:
        """Build an untrained one.

        Args:
            config: ``features`` (name and arguments) and ``vocoder`` (arguments; those
                with ``latents`` are of a ``FlowVocoder``).
        """
        conf = config["vocoder"]
        network = FlowVocoder if "latents" in conf else cls
        return network(build_features(**config["features"]), **conf)

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        expected_spec: FeatureSpec | None = None,
        revision: str | None = None,
    ) -> Vocoder:
        """Load a checkpoint folder; refuse features other than ``expected_spec``.

        Args:
            folder: Folder or name.
            expected_spec: Refuse other features.
            revision: See ``load``.

        Raises:
            FileNotFoundError, ValueError: As of ``load_checkpoint``.
        """
        found = read_checkpoint(folder, revision=revision)
        return found.load(cls, expected_spec)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, T, F) normalised features to (B, T * hop) samples.

        Raises:
            TypeError, ValueError: As of ``AbsFeatures.as_frames``.
        """
        states, pitch = self.states(self.features.as_frames(x))
        return self.speak(states, pitch)

    def states(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        """The network, which may run in bfloat16.

        Args:
            x: (B, T, F) features.

        Returns:
            (B, T * upsample + 1, dim), what the head reads, and with ``harmonics`` the
            pitch (B, T + 1) in Hz and the logits (B, T + 1) of voice.
        """
        frames = x.shape[1]
        x = torch.cat((x, x[:, -1:]), dim=1)  # the last hop extends past frame T
        x = self.backbone(x.transpose(1, 2))
        pitch = None if self.pitch is None else self.pitch(x)
        if self.upsample > 1:
            x = self.refine(x).transpose(1, 2)
            x = self.norm(x[:, : frames * self.upsample + 1])
        return x, pitch

    def speak(self, states: Tensor, pitch: tuple[Tensor, Tensor] | None) -> Tensor:
        """The head, in fp32: what ``states`` returned to (B, T * hop) samples."""
        states = states.float()
        return self.head(states) if pitch is None else self.head(states, pitch)


class _SplitFrames(nn.Module):
    """(B, T, N * C) frames to (B, C, T * N), each into N of them."""

    def __init__(self, parts: int):
        super().__init__()
        self.parts = parts

    def forward(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.parts, -1)).flatten(1, 2).transpose(1, 2)


def use_vocoder(features: AbsFeatures, name: str | Path | None = None) -> None:
    """Choose what inverts features.

    Args:
        features: Feature space.
        name: Folder or name of a vocoder's checkpoint; ``none``: the inversion of the
            feature space (Griffin-Lim for log-mel); None: the packaged vocoder
            if it is one for these features, else as ``none``.

    Raises:
        FileNotFoundError, ValueError: If it is no vocoder, or one for other features.
    """
    found = (
        _packaged(features.spec) if name is None else find_vocoder(name, features.spec)
    )
    vocoder = None if found is None else found.load(Vocoder).to(features.device)
    features.use_vocoder(vocoder)


def find_vocoder(name: str | Path, spec: FeatureSpec) -> Checkpoint | None:
    """Find a vocoder, and check its configuration; loads no weights.

    Args:
        name: As of ``use_vocoder``; not None.
        spec: The features that it must be for.

    Returns:
        Its checkpoint; None for ``none``.

    Raises:
        FileNotFoundError, ValueError: As of ``use_vocoder``.
    """
    if str(name) == NO_VOCODER:
        return None
    try:
        found = read_checkpoint(name)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"vocoder {name} is missing: expected a folder, or a vocoder among what "
            "`uniwav models` lists; the vocoder1 recipe and `uniwav export` make one "
            f"({error})"
        ) from error
    found.require(Vocoder.kind)
    check_spec(spec, found.spec, str(found.path))
    return found


def _packaged(spec: FeatureSpec) -> Checkpoint | None:
    """The vocoder that comes with the package, if it is one for these features."""
    if PACKAGED not in packaged_models():
        return None
    found = read_checkpoint(PACKAGED)
    return found if found.spec == spec else None
