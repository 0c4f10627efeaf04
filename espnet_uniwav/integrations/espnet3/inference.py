"""States of a checkpoint, for ESPnet3's ``InferenceModel`` and stage ``infer``."""

from __future__ import annotations

import numpy as np
import torch
from espnet3.contract.kinds import Audio, Kind, register_kind

from espnet_uniwav.core.checkpoint import load_checkpoint


class Frames(Kind):
    """``frames``: an array of real numbers whose last but one dimension is time."""

    def check(self, value, field, model, *, output):
        """Refuse anything else with a TypeError."""
        if not isinstance(value, np.ndarray) or value.ndim < 2:
            raise TypeError(
                f"{field.name}: expected an array (..., T, D), found "
                f"{getattr(value, 'shape', type(value).__name__)}"
            )
        return value


register_kind("frames", Frames(), replace=True)


class HiddenStates:
    """All states of the encoder.

    Args:
        checkpoint: Folder or name, see ``load_checkpoint``.
        device: Torch device.
    """

    def __init__(self, checkpoint: str, device: str = "cpu"):
        self.model = load_checkpoint(checkpoint).to(device)
        self.device = device
        self.sample_rate = self.model.features.spec.sample_rate

    @torch.no_grad()
    def __call__(self, speech: Audio | list[Audio]) -> dict | list[dict]:
        """Of one recording, or of each of several.

        Returns:
            ``states``: (num_layers + 1, T, D).
        """
        if isinstance(speech, list):
            return [self(audio) for audio in speech]
        samples = torch.from_numpy(speech.mono().array)[None].to(self.device)
        lengths = torch.tensor([samples.shape[1]], device=self.device)
        x, _ = self.model.features.extract(samples, lengths)
        states = torch.cat(self.model.hidden_states(x))
        return {"states": states.cpu().numpy()}
