"""The masked pass of the encoder, whose states all objectives share."""

from __future__ import annotations

from torch import Tensor

from espnet_uniwav.core.nn.masks import lengths_to_padding_mask, read_numbers
from espnet_uniwav.core.ssl.encoder import Encoder
from espnet_uniwav.core.ssl.mask import SpanMask
from espnet_uniwav.core.ssl.perturb import Perturb


def masked_pass(
    encoder: Encoder,
    span_mask: SpanMask,
    perturb: Perturb,
    features: Tensor,
    lengths: Tensor,
    views: int = 1,
    num_ffn: int = 0,
) -> dict:
    """Draw masks and run the encoder on all views.

    All numbers that shapes depend on are read from the device together.

    Args:
        encoder: The student.
        span_mask: Draws the masks.
        perturb: Changes the student's and the decoder's features, if it is active.
        features: (B, T, F).
        lengths: (B,) valid frames.
        views: Masked views V of every utterance.
        num_ffn: Top layers whose FFN outputs are wanted.

    Returns:
        Inputs of the objectives. ``embedded``, the teacher's input, is computed from
        the original features; ``features`` and ``mask`` are those of the first view;
        ``masked`` are the indices of masked frames in the flattened (V * B * T).
    """
    length = features.shape[1]
    all_lengths = lengths.repeat(views)
    mask = span_mask(all_lengths, length)
    visible = all_lengths - mask.sum(1)
    shortest, masked, *visible = read_numbers(
        lengths.min(), mask.sum(), visible.min(), visible.max()
    )
    padding_mask = padding = None
    if shortest < length:
        padding_mask = lengths_to_padding_mask(lengths, length)
        padding = padding_mask.repeat(views, 1)
    embedded = encoder.embed(features)
    if perturb.is_active:
        seen = perturb(features.repeat(views, 1, 1))
        features = seen[: len(features)]
        student = encoder.embed(seen)
    else:
        student = embedded if views == 1 else embedded.repeat(views, 1, 1)
    states, ffn = encoder.outputs(student, padding, mask, tuple(visible), num_ffn)
    return dict(
        features=features,
        lengths=lengths,
        padding_mask=padding_mask,
        views=views,
        mask=mask[: len(features)],
        masked=mask.flatten().nonzero_static(size=masked).squeeze(1),
        embedded=embedded,
        hidden_states=states,
        ffn_outputs=ffn,
    )
