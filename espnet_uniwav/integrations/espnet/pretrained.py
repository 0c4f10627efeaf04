"""Base of the fine-tuning adapters: the checkpoint that training starts from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import nn

from espnet_uniwav.core.checkpoint import load_checkpoint, read_checkpoint
from espnet_uniwav.core.features import FeatureSpec
from espnet_uniwav.io.folder import find_local


class StartsFromCheckpoint:
    """A module that needs a checkpoint for training, but not for inference.

    ``checkpoint`` provides the initial weights; ``architecture`` in the saved
    config.yaml rebuilds the module without it. This class must be listed before
    ``nn.Module`` among the bases.
    """

    checkpoint: str | None
    has_weights: bool

    def read_weights(
        self, spec: FeatureSpec, load: Callable[..., nn.Module] = load_checkpoint
    ) -> nn.Module | None:
        """The pre-trained model; None to start from random or trained weights.

        Args:
            spec: The features that it must have.
            load: Loads a folder, given the features.
        """
        self.has_weights = self.checkpoint is None
        folder = None if self.checkpoint is None else find_local(self.checkpoint)
        if folder is None:
            return None
        self.has_weights = True
        return load(folder, spec)

    def require_weights(self) -> None:
        """Raise FileNotFoundError if no weights were loaded from any source."""
        if not self.has_weights:
            raise FileNotFoundError(
                f"{self.checkpoint} is missing, and no trained model was loaded: name "
                "an existing checkpoint folder in the configuration, or make one with "
                "`uniwav export EXP FOLDER`"
            )

    def _load_from_state_dict(self, state_dict, prefix, *args):
        """Refuse missing tensors, which ESPnet's ``strict=False`` would ignore."""
        needed = (key for key in self.state_dict() if key != "_extra_state")
        missing = [key for key in needed if prefix + key not in state_dict]
        if missing:
            listed = "\n  ".join(prefix + key for key in missing)
            raise ValueError(f"the trained model lacks tensors of uniwav:\n  {listed}")
        self.has_weights = True
        super()._load_from_state_dict(state_dict, prefix, *args)


def read_architecture(
    checkpoint: str | Path | None,
    parts: tuple[str, ...],
    key: str,
    kind: str = "uniwav",
) -> dict:
    """Parts of a checkpoint's model configuration.

    Args:
        checkpoint: Folder or name.
        parts: Keys of the model configuration that are wanted.
        key: Where the recipe names it, such as ``frontend_conf``, for the error.
        kind: What it must be.

    Raises:
        FileNotFoundError: If the folder is no checkpoint.
        ValueError: If there is none, or it is of another kind.
    """
    if checkpoint is None:
        raise ValueError(
            f"{key} needs checkpoint: FOLDER, or an architecture (the `model` part of "
            "a checkpoint's config.yaml) to start from random weights"
        )
    found = read_checkpoint(checkpoint)
    found.require(kind)
    return {part: found.model[part] for part in parts if part in found.model}
