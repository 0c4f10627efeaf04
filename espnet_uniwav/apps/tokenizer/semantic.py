"""The semantic codebook: clusters of a state of the encoder."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from espnet_uniwav.apps.tokenizer.config import TokenizerConfig
from espnet_uniwav.apps.tokenizer.whitening import Whitening
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.core.nn.precision import full_precision
from espnet_uniwav.core.ssl.codebook import nearest
from espnet_uniwav.core.ssl.teacher import instance_norm


class SemanticCodebook(nn.Module):
    """Codes of every N frames by clusters of one state, along its whitened axes.

    The state is normalised over the utterance, which removes much of the speaker. The
    clusters are final before training.

    Args:
        width: Width D of the state.
        config: Names the state, clusters V, frames N and axes.
    """

    def __init__(self, width: int, config: TokenizerConfig):
        super().__init__()
        self.layer = config.semantic_layer
        self.frames_per_code = config.frames_per_code
        self.whitening = Whitening(width, config.num_axes)
        group = self.frames_per_code * self.whitening.dim
        self.register_buffer("centroids", torch.zeros(config.codebook_size, group))

    @torch.no_grad()
    def forward(
        self, uniwav: UniWav, x: Tensor, padding_mask: Tensor | None = None
    ) -> Tensor:
        """Codes (B, N) of features (B, T, F)."""
        groups = self.group(self.state(uniwav, x, padding_mask), padding_mask)
        codes = nearest(groups.flatten(0, 1)[None], self.centroids[None])[0]
        return codes.unflatten(0, groups.shape[:2])

    @torch.no_grad()
    def state(
        self, uniwav: UniWav, x: Tensor, padding_mask: Tensor | None = None
    ) -> Tensor:
        """The state (B, T, D) of features (B, T, F), in fp32."""
        with full_precision(x.device):
            state = uniwav.hidden_states(x.float(), padding_mask)[self.layer]
            return instance_norm(state[None], padding_mask)[0]

    def group(self, state: Tensor, padding_mask: Tensor | None = None) -> Tensor:
        """States (B, T, D) to groups (B, N, .) of axes; padding counts as zero."""
        axes = self.whitening(state)
        if padding_mask is not None:
            axes = axes.masked_fill(padding_mask[..., None], 0.0)
        return group_frames(axes, self.frames_per_code)


def group_frames(x: Tensor, frames: int) -> Tensor:
    """Frames (B, T, D) to groups of so many (B, N, frames * D), zeros after the end."""
    x = F.pad(x, (0, 0, 0, -x.shape[1] % frames))
    return x.unflatten(1, (-1, frames)).flatten(2)
