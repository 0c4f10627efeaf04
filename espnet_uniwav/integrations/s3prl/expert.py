"""A UniWav checkpoint as an upstream of S3PRL."""

from __future__ import annotations

from pathlib import Path

import torch
from s3prl.upstream.interfaces import SAMPLE_RATE, UpstreamBase
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from espnet_uniwav.core.checkpoint import load_checkpoint, untrained_model
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.core.nn.given import SAMPLES, as_tensor
from espnet_uniwav.core.nn.masks import drop_if_unpadded, lengths_to_padding_mask


class UpstreamExpert(UpstreamBase):
    """Features and encoder of one checkpoint; frozen by S3PRL unless given ``-f``.

    Every pass returns num_layers + 1 states, as S3PRL's weighted sum needs. So layer
    drop is off; dropout in training is that of the checkpoint.

    Args:
        ckpt: Checkpoint: its folder or name, see ``storage.find_folder``.
        random_seed: Ignore the trained weights and draw new ones from this seed, the
            same in every process: the untrained control of the same architecture.
        hooks: S3PRL's own, see ``UpstreamBase``; they replace the output.
        hook_postprocess: See ``UpstreamBase``.

    Raises:
        FileNotFoundError: If the folder is no checkpoint.
        ValueError: If its features are not those of 16 kHz speech.
    """

    def __init__(
        self,
        ckpt: str | Path,
        random_seed: int | None = None,
        hooks: list | None = None,
        hook_postprocess=None,
    ):
        super().__init__(hooks, hook_postprocess)
        if random_seed is None:
            model = load_checkpoint(ckpt)
        else:
            model = untrained_model(ckpt, random_seed)
        rate = model.features.spec.sample_rate
        if rate != SAMPLE_RATE:
            raise ValueError(
                f"{ckpt}: expected features of {SAMPLE_RATE} Hz speech, which is what "
                f"S3PRL loads, found {rate} Hz. Use a checkpoint trained at that rate."
            )
        self.model = UniWav(model.features, model.encoder)
        self.model.encoder.transformer.layer_drop = 0.0
        self.model.encoder.mask_embedding.requires_grad_(False)

    def get_downsample_rates(self, key: str) -> int:
        """Samples per frame, the same for every key."""
        return self.model.features.spec.hop_length

    def forward(self, wavs: list[Tensor]) -> dict:
        """Encode a batch.

        Args:
            wavs: B tensors or arrays (S_i,) in [-1, 1], or of 16 bits, 16 kHz.

        Returns:
            ``hidden_states``: num_layers + 1 tensors (B, T, D), T = ceil(S / hop) of
            the longest wav; ``last_hidden_state``: the last one; ``features``: the
            (B, T, F) input of the encoder, for ``-s features``.

        Raises:
            TypeError, ValueError: If these are something else, see ``nn.given``.
        """
        if not isinstance(wavs, (list, tuple)):
            wavs = as_tensor(wavs, "wavs", "BS", SAMPLES)
        if not len(wavs):
            raise ValueError("wavs: expected one or more, found none")
        device = self.model.features.device
        wavs = [as_tensor(own, "wavs", "S", SAMPLES, device) for own in wavs]
        lengths = torch.tensor([len(wav) for wav in wavs], device=device)
        speech = pad_sequence(wavs, batch_first=True)
        x, lengths = self.model.features.extract(speech, lengths)
        padding_mask = drop_if_unpadded(lengths_to_padding_mask(lengths, x.shape[1]))
        states = self.model.hidden_states(x, padding_mask)
        if self.hooks:
            return {}
        return {
            "hidden_states": states,
            "last_hidden_state": states[-1],
            "features": x,
        }
