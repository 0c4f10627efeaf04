"""Labels of frames, read as data, beside the frames of an encoder."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def fit_labels(labels: Tensor, length: int, name: str) -> Tensor:
    """Labels for exactly ``length`` frames; missing ones are -1.

    Args:
        labels: (B, L); L may differ from ``length`` by the rounding of a crop.
        length: Frames T of the batch.
        name: Of the data, for the error message.

    Raises:
        ValueError: If L and T differ by more than two.
    """
    found = labels.shape[1]
    if abs(found - length) > 2:
        raise ValueError(
            f"the {name} has {found} frames, the encoder {length}: give one label for "
            "each of them, at the frame rate of the features"
        )
    return F.pad(labels, (0, length - found), value=-1)
