"""The masked pass of the encoder, whose states all objectives share."""

from __future__ import annotations

from torch import Tensor

from espnet_uniwav.nn.masks import drop_if_unpadded, lengths_to_padding_mask
from espnet_uniwav.ssl.encoder import Encoder
from espnet_uniwav.ssl.mask import SpanMask
from espnet_uniwav.ssl.perturb import Perturb


def masked_pass(
    encoder: Encoder,
    span_mask: SpanMask,
    perturb: Perturb,
    features: Tensor,
    lengths: Tensor,
    views: int = 1,
) -> dict:
    """Draw masks and run the encoder on all views.

    Args:
        encoder: The student.
        span_mask: Draws the masks.
        perturb: Changes the student's and the decoder's features, if it is active.
        features: (B, T, F).
        lengths: (B,) valid frames.
        views: Masked views V of every utterance.

    Returns:
        Inputs of the objectives. ``embedded``, the teacher's input, is computed from
        the original features; ``features`` and ``mask`` are those of the first view;
        ``masked`` are the indices of masked frames in the flattened (V * B * T).
    """
    length = features.shape[1]
    padding_mask = drop_if_unpadded(lengths_to_padding_mask(lengths, length))
    padding = None if padding_mask is None else padding_mask.repeat(views, 1)
    mask = span_mask(lengths.repeat(views), length)
    embedded = encoder.embed(features)
    if perturb.is_active:
        seen = perturb(features.repeat(views, 1, 1))
        features = seen[: len(features)]
        student = encoder.embed(seen)
    else:
        student = embedded.repeat(views, 1, 1)
    return dict(
        features=features,
        lengths=lengths,
        padding_mask=padding_mask,
        views=views,
        mask=mask[: len(features)],
        masked=mask.flatten().nonzero().squeeze(1),
        embedded=embedded,
        hidden_states=encoder(student, padding, mask),
    )
