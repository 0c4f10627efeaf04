"""The decoder's objective: match the velocity of the path at masked frames."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from typeguard import typechecked

from espnet_uniwav.core.flow.decoder import FlowDecoder
from espnet_uniwav.core.flow.ode import sample_path
from espnet_uniwav.core.nn.masks import select_frames
from espnet_uniwav.core.nn.weighted_sum import WeightedSum
from espnet_uniwav.core.ssl.encoder import Encoder
from espnet_uniwav.core.ssl.objective import MaskedBatch, Objective

KEPT_FRAMES = ("data", "path")


class FlowMatching(Objective):
    """Mean squared error of the velocity at masked frames (paper, section 3).

    Args:
        encoder: Defines the number and the width of the states, and the width of x.
        decoder: Arguments of ``FlowDecoder``; widths default to the encoder's.
        drop_prob: Probability of dropping the condition of an utterance, for
            classifier-free guidance.
        kept_frames: What the decoder sees at unmasked frames: ``data`` (t = 1, as in
            infilling) or ``path`` (the same t as at masked frames).
        crop: Share of the frames of a batch that the decoder reads in training: a
            stretch of every utterance, drawn anew. Training costs less; 1 (the
            paper's) is all of them.
        weight: Factor of this loss in the sum.
    """

    model_parts = ("weighted_sum", "decoder")

    @typechecked
    def __init__(
        self,
        encoder: Encoder,
        decoder: dict | None = None,
        drop_prob: float = 0.1,
        kept_frames: str = "data",
        crop: float = 1.0,
        weight: float = 0.25,
    ):
        super().__init__(weight)
        if not 0 < crop <= 1:
            raise ValueError(f"crop must be above 0 and at most 1, found {crop}")
        if kept_frames not in KEPT_FRAMES:
            raise ValueError(
                f"kept_frames must be one of {KEPT_FRAMES}, found {kept_frames!r}"
            )
        self.drop_prob = drop_prob
        self.kept_frames = kept_frames
        self.crop = crop
        self.weighted_sum = WeightedSum(encoder.num_layers + 1)
        decoder = {"embed_dim": encoder.embed_dim, **(decoder or {})}
        self.decoder = FlowDecoder(encoder.input_dim, encoder.embed_dim, **decoder)

    def forward(self, batch: MaskedBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of the first view of one batch; there are no statistics."""
        number, mask = len(batch.features), batch.mask
        z = self.weighted_sum([state[:number] for state in batch.hidden_states])
        inputs = [batch.features.float(), z, batch.padding_mask, mask]
        if self.training and self.crop < 1:
            frames = draw_crops(*mask.shape, batch.padding_mask, self.crop, mask.device)
            inputs = [x if x is None else select_frames(x, frames) for x in inputs]
        loss = flow_matching_loss(
            self.decoder, *inputs, self.drop_prob, self.kept_frames
        )
        return loss, {}


def draw_crops(
    batch: int, length: int, padding_mask: Tensor | None, share: float, device
) -> Tensor:
    """Draw a stretch of every utterance, of the same length in all of them.

    Args:
        batch: B.
        length: T.
        padding_mask: (B, T), True = padding. A stretch holds padding only if the
            utterance is shorter.
        share: Frames of a stretch, of T.
        device: Of the result.

    Returns:
        (B, N) frames, N = share * T rounded up.
    """
    number = math.ceil(share * length)
    valid = torch.full((batch, 1), length, device=device)
    if padding_mask is not None:
        valid = (~padding_mask).sum(1, keepdim=True)
    room = (valid - number).clamp(min=0)
    starts = (torch.rand(batch, 1, device=device) * (room + 1)).long()
    return starts.minimum(room) + torch.arange(number, device=device)


def flow_matching_loss(
    decoder: FlowDecoder,
    x_1: Tensor,
    z: Tensor,
    padding_mask: Tensor | None,
    mask: Tensor,
    drop_prob: float = 0.1,
    kept_frames: str = "data",
) -> Tensor:
    """Mean squared error of the velocity at masked frames.

    The first batch of a training fits the decoder's preconditioning.

    Args:
        decoder: Predicts the velocity.
        x_1: (B, T, F) data.
        z: (B, T, C) condition.
        padding_mask: (B, T), True = padding.
        mask: (B, T), True = masked.
        drop_prob, kept_frames: See ``FlowMatching``.

    Returns:
        Scalar in fp32.
    """
    decoder.precondition.fit_first_batch(x_1, padding_mask)
    t = torch.rand(len(x_1), 1, device=x_1.device)
    dropped = torch.rand(len(x_1), 1, device=x_1.device) < drop_prob
    z = z.masked_fill(dropped[..., None], 0.0)
    if kept_frames == "data":
        t = torch.where(mask | dropped, t, 1.0)
    t = t.expand(x_1.shape[:2])
    x_t, dx_t = sample_path(torch.randn_like(x_1), x_1, t)
    velocity = decoder(x_t, t, z, padding_mask)
    error = torch.where(mask[..., None], velocity.float() - dx_t, 0.0)
    return error.square().sum() / (mask.sum() * x_1.shape[-1]).clamp(min=1)
