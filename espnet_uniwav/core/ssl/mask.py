"""Span masking of the student's input."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typeguard import typechecked

from espnet_uniwav.core.nn.masks import lengths_to_padding_mask


class SpanMask(nn.Module):
    """Masks spans of frames at random positions; spans may overlap (wav2vec 2.0).

    About mask_prob * T / mask_length spans start at distinct random frames. Overlaps
    leave 52 to 57 % of the frames masked with the default values.

    Args:
        mask_prob: Masked share if no spans overlapped.
        mask_length: Frames per span.
        exact: Draw spans until exactly the share mask_prob is masked. Utterances of
            equal length then keep equally many frames, so that an encoder with
            ``visible_only`` needs no padding.
    """

    @typechecked
    def __init__(
        self, mask_prob: float = 0.8, mask_length: int = 10, exact: bool = False
    ):
        super().__init__()
        if not 0 < mask_prob <= 1 or mask_length < 1:
            raise ValueError(
                "expected 0 < mask_prob <= 1 and mask_length >= 1, found "
                f"{mask_prob} and {mask_length}"
            )
        self.mask_prob = mask_prob
        self.mask_length = mask_length
        self.exact = exact

    @torch.no_grad()
    def forward(self, lengths: Tensor, num_frames: int) -> Tensor:
        """Draw a mask for every utterance.

        At least one frame of each utterance is masked and at least one is kept. The
        frame of an utterance of one frame is kept. Utterances shorter than a span have
        a shorter span.

        Args:
            lengths: (B,) valid frames.
            num_frames: Frames T of the padded batch.

        Returns:
            (B, T) bool on the device of lengths, True = masked.
        """
        if self.exact:
            return self._draw_exactly(lengths, num_frames)
        device = lengths.device
        frames = torch.arange(num_frames, device=device)
        span = (lengths - 1).clamp(max=self.mask_length)
        spans = self.mask_prob * lengths / self.mask_length
        spans = (spans + torch.rand(len(lengths), device=device)).long().clamp(min=1)
        # A span may start at any of the first (length - span) frames: the last
        # valid frame is never masked.
        starts = torch.rand(len(lengths), num_frames, device=device)
        starts = starts.masked_fill(frames >= (lengths - span)[:, None], 2.0)
        rank = starts.argsort(1).argsort(1)
        chosen = (rank < spans[:, None]) & (starts < 2.0)
        # A frame is masked if a span started at most span - 1 frames before it.
        last_start = torch.where(chosen, frames, -num_frames).cummax(1).values
        return (frames - last_start < span[:, None]) & (frames < lengths[:, None])

    def _draw_exactly(self, lengths: Tensor, num_frames: int) -> Tensor:
        """Add spans in random order until enough frames are masked.

        A frame is masked with the first span that covers it. The last span masks only
        the frames still missing.
        """
        turn = torch.rand(len(lengths), num_frames, device=lengths.device)
        padded = F.pad(-turn, (self.mask_length - 1, 0), value=-2.0)
        turn = -F.max_pool1d(padded[:, None], self.mask_length, stride=1)[:, 0]
        turn = turn.masked_fill(lengths_to_padding_mask(lengths, num_frames), 2.0)
        rank = turn.argsort(dim=1, stable=True).argsort(1)
        number = (self.mask_prob * lengths).round().long().clamp(min=1)
        return rank < torch.minimum(number, lengths - 1)[:, None]
