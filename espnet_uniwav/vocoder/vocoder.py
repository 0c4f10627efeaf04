"""A vocoder for features: x -> waveform by a network with one inverse STFT."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from espnet_uniwav.checkpoint import load_model
from espnet_uniwav.features import AbsFeatures, FeatureSpec, build_features


class Vocoder(nn.Module):
    """Vocos (Siuzdak 2024): ConvNeXt blocks predict magnitude and phase of an STFT.

    Frames are centred at multiples of the hop, like those of the features. The network
    comes from the ``vocos`` package.

    Args:
        features: Feature space to invert.
        dim: Width.
        ffn_dim: Width of the feed-forward networks in the blocks.
        num_layers: Blocks.

    Raises:
        ImportError: If the package ``vocos`` is missing.
    """

    def __init__(
        self,
        features: AbsFeatures,
        dim: int = 256,
        ffn_dim: int = 768,
        num_layers: int = 6,
    ):
        super().__init__()
        try:
            from vocos.heads import ISTFTHead
            from vocos.models import VocosBackbone
        except ImportError as error:
            raise ImportError(f"a vocoder needs vocos: pip install it ({error})")
        self.features = features
        spec = features.spec
        self.backbone = VocosBackbone(spec.dim, dim, ffn_dim, num_layers)
        fft_size = spec.conf.get("fft_size", 4 * spec.hop_length)
        self.head = ISTFTHead(dim, fft_size, spec.hop_length, padding="center")

    @classmethod
    def from_config(cls, config: dict) -> Vocoder:
        """Build an untrained one.

        Args:
            config: ``features`` (name and arguments) and ``vocoder`` (arguments).
        """
        if "vocoder" not in config:
            raise ValueError("is no vocoder: make one with the vocoder1 recipe")
        return cls(build_features(**config["features"]), **config["vocoder"])

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, expected_spec: FeatureSpec | None = None
    ) -> Vocoder:
        """Load a checkpoint folder; refuse features other than ``expected_spec``.

        Raises:
            FileNotFoundError, ValueError: As of ``load_checkpoint``.
        """
        return load_model(folder, cls.from_config, expected_spec)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, T, F) normalised features to (B, T * hop) samples."""
        x = torch.cat((x, x[:, -1:]), dim=1)  # the last hop extends past frame T
        return self.head(self.backbone(x.transpose(1, 2)))


def use_vocoder(features: AbsFeatures, folder: str | Path | None) -> None:
    """Invert features by the vocoder of a checkpoint folder; None: change nothing.

    Raises:
        FileNotFoundError, ValueError: If it is no vocoder, or one for other features.
    """
    if folder is not None:
        vocoder = Vocoder.from_pretrained(folder, features.spec)
        features.use_vocoder(vocoder.to(features.device))
