"""Gaps of one recording: context windows, vocoding and cross-fading.

Letters: S samples, T frames, F feature width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from espnet_uniwav.core.features import AbsFeatures

# Length of the fade on either side of a generated gap.
FADE_SECONDS = 0.015


def runs(mask: Tensor) -> list[tuple[int, int]]:
    """First and one-past-last index of every run of True in mask (N,)."""
    edge = torch.zeros(1, dtype=torch.int8, device=mask.device)
    steps = torch.diff(torch.cat([edge, mask.to(torch.int8), edge]))
    first = torch.nonzero(steps == 1).squeeze(1).tolist()
    last = torch.nonzero(steps == -1).squeeze(1).tolist()
    return list(zip(first, last))


def context_windows(mask: Tensor, context: int) -> list[tuple[int, int]]:
    """Frames that the model sees: each gap and ``context`` frames around it.

    Adjacent windows are merged, so no gap is cut.

    Args:
        mask: (T,) bool.
        context: Frames on either side.

    Returns:
        First and one-past-last frame of every window.
    """
    near = torch.zeros_like(mask)
    for first, last in runs(mask):
        near[max(first - context, 0) : last + context] = True
    return runs(near)


def splice(
    speech: Tensor, generated: Tensor, gaps: list[tuple[int, int]], fade: int
) -> Tensor:
    """Put the generated samples into the gaps of the original ones.

    The fade covers ``fade`` kept samples on either side of a gap, so nothing of the
    original inside the gap remains audible. sin and cos weights preserve the power,
    because the two signals are uncorrelated.

    Args:
        speech: (S,) original.
        generated: (S,) vocoded.
        gaps: First and one-past-last sample of every gap.
        fade: Samples of the cross-fade.

    Returns:
        (S,); equal to ``speech`` outside the gaps and the fades.
    """
    angle = torch.zeros(len(speech))
    ramp = (torch.arange(fade) + 0.5) / max(fade, 1)
    for first, last in gaps:
        angle[first:last] = 1.0
        left, right = angle[max(first - fade, 0) : first], angle[last : last + fade]
        left.copy_(torch.maximum(left, ramp[fade - len(left) :]))
        right.copy_(torch.maximum(right, ramp.flip(0)[: len(right)]))
    mixed = speech * torch.cos(angle * math.pi / 2)
    mixed = mixed + generated * torch.sin(angle * math.pi / 2)
    return torch.where(angle == 0, speech, torch.where(angle == 1, generated, mixed))


def vocode_gaps(
    features: AbsFeatures,
    filled: Tensor,
    mask: Tensor,
    num_samples: int,
    margin: float = 1.0,
) -> Tensor:
    """Waveform of the gaps and ``margin`` seconds around them, zero elsewhere.

    Args:
        features: Feature space of the frames.
        filled: (T, F) frames.
        mask: (T,) bool.
        num_samples: S.
        margin: Seconds on either side, so that the phase settles.

    Returns:
        (S,) samples.
    """
    spec = features.spec
    speech = torch.zeros(len(filled) * spec.hop_length)
    for first, last in context_windows(mask, math.ceil(margin * spec.frame_rate)):
        piece = features.invert_one(filled[first:last])
        speech[first * spec.hop_length : last * spec.hop_length] = piece
    return speech[:num_samples]
