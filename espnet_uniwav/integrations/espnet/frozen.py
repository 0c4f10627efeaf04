"""What the front ends of ESPnet's SSL and TTS tasks share: a frozen feature space."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from espnet_uniwav.core.features import AbsFeatures, check_spec
from espnet_uniwav.core.features.stored import read_spec


class FrozenFeatures:
    """Features of samples, or features that were extracted to disk.

    Attributes:
        conf_key: Where a configuration holds the arguments of the front end.
    """

    conf_key: str

    def set_features(self, features: AbsFeatures, extracted: str | Path | None) -> None:
        """Set the feature space.

        Args:
            features: The feature space.
            extracted: Folder of ``uniwav extract``: the data are features.

        Raises:
            ValueError: If the folder holds other features.
        """
        self.features = features
        self.extracted = extracted
        if extracted is not None and Path(extracted).exists():
            check_spec(read_spec(extracted), features.spec, extracted)

    def output_size(self) -> int:
        """Width F of a frame."""
        return self.features.spec.dim

    def forward(
        self, input: Tensor, input_lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Map (B, S) samples and lengths to (B, T, F) features and lengths.

        Features extracted to disk, (B, T, F), are returned unchanged.

        Raises:
            ValueError: If the data are features and the configuration does not say so.
        """
        if np.ndim(input) != 3:
            return self.features.extract(input, input_lengths)
        if self.extracted is None:
            raise ValueError(
                f"expected samples (B, S), found {tuple(input.shape)}: for features "
                f"on disk set {self.conf_key}: {{extracted: FOLDER}} of `uniwav "
                "extract`"
            )
        return input, input_lengths
