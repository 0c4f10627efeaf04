"""Infilling: masks, filling methods, and the distance to the original.

Letters: B batch, S samples, T frames, F feature width. ``mask`` is True at the
frames that are to be filled.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from espnet_uniwav.apps.vocoder.splicing import context_windows
from espnet_uniwav.core.batches import make_batches
from espnet_uniwav.core.flow.sampling import Sampling


def span_mask(
    name: str, num_frames: int, span_frames: int, share: float, seed: int = 0
) -> Tensor:
    """Hide a share of an utterance in spans of equal length at random positions.

    Spans are separated by at least one kept frame. The positions depend only on the
    arguments, so every system and every later run uses the same masks.

    Args:
        name: Id of the utterance.
        num_frames: T.
        span_frames: Frames per span.
        share: Wanted share of hidden frames, in (0, 1).
        seed: Another seed gives other positions.

    Returns:
        (T,) bool with round(share * T / span_frames) spans: at least one, and no
        more than fit.

    Raises:
        ValueError: If one span would leave no kept frame, or share is out of range.
    """
    if not 0 < share < 1:
        raise ValueError(f"share: expected a value in (0, 1), found {share}")
    if not 0 < span_frames < num_frames:
        raise ValueError(
            f"{name}: a span of {span_frames} frames does not leave a kept frame in "
            f"{num_frames}; use shorter spans or longer utterances"
        )
    wanted = max(1, round(share * num_frames / span_frames))
    num_spans = min(wanted, (num_frames + 1) // (span_frames + 1))
    digest = hashlib.sha256(f"{seed}/{span_frames}/{name}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    # Distinct sorted slots, stretched by the spans before them: one kept frame or
    # more stays between two spans.
    slots = num_frames - num_spans * span_frames + 1
    slots = np.sort(rng.choice(slots, size=num_spans, replace=False))
    mask = torch.zeros(num_frames, dtype=torch.bool)
    for index, slot in enumerate(slots.tolist()):
        first = slot + index * span_frames
        mask[first : first + span_frames] = True
    return mask


def fill_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Replace masked frames of x (T, F) by the mean of the kept ones."""
    return torch.where(mask[:, None], x[~mask].mean(dim=0), x)


def fill_linear(x: Tensor, mask: Tensor) -> Tensor:
    """Interpolate each dimension of x (T, F) over the gaps; the edges hold."""
    kept = torch.nonzero(~mask).squeeze(1)
    frames = torch.arange(len(x), device=x.device)
    after = torch.searchsorted(kept, frames).clamp(max=len(kept) - 1)
    before = (torch.searchsorted(kept, frames, right=True) - 1).clamp(min=0)
    left, right = kept[before], kept[after]
    weight = (frames - left) / (right - left).clamp(min=1)
    line = torch.lerp(x[left], x[right], weight.clamp(0, 1)[:, None].to(x.dtype))
    return torch.where(mask[:, None], line, x)


def fill_model(
    model,
    xs: list[Tensor],
    masks: list[Tensor],
    sampling: Sampling,
    seed: int = 0,
    max_frames: int = 4000,
    progress=None,
) -> list[Tensor]:
    """Generate the masked frames, in batches of utterances of similar length.

    Args:
        model: ``UniWav`` in eval mode.
        xs: Features (T, F) per utterance.
        masks: (T,) bool per utterance.
        sampling: Solver settings.
        seed: Seed of the initial noise.
        max_frames: Frames of a batch, padding included.
        progress: Called with the number of utterances done after each batch.

    Returns:
        Filled features (T, F) per utterance, in the order given.
    """
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    filled: list[Tensor] = [None] * len(xs)
    for batch in make_batches([len(x) for x in xs], max_frames):
        x = pad_sequence([xs[i] for i in batch], batch_first=True).to(device)
        mask = pad_sequence([masks[i] for i in batch], batch_first=True).to(device)
        lengths = torch.tensor([len(xs[i]) for i in batch], device=device)
        padding_mask = torch.arange(x.shape[1], device=device) >= lengths[:, None]
        with torch.no_grad():
            out = model.infill(
                x, mask, padding_mask, generator=generator, **asdict(sampling)
            )
        for row, i in enumerate(batch):
            filled[i] = out[row, : len(xs[i])].cpu()
        if progress is not None:
            progress(len(batch))
    return filled


def fill_gaps(
    model, x: Tensor, mask: Tensor, sampling: Sampling, seed: int, context: float
) -> Tensor:
    """Generate the masked frames of one recording from the frames around them.

    Args:
        model: ``UniWav`` in eval mode.
        x: (T, F) normalised features.
        mask: (T,) bool.
        sampling: Solver settings.
        seed: Of the initial noise.
        context: Seconds shown to the model on either side of a gap.

    Returns:
        (T, F); the kept frames are those of x, bit for bit.
    """
    frames = math.ceil(context * model.features.spec.frame_rate)
    windows = context_windows(mask, max(frames, 1))
    pieces = fill_model(
        model,
        [x[first:last] for first, last in windows],
        [mask[first:last] for first, last in windows],
        sampling,
        seed=seed,
    )
    filled = x.clone()
    for (first, last), piece in zip(windows, pieces):
        filled[first:last] = piece
    return filled


def feature_distance(
    filled: Tensor, x: Tensor, mask: Tensor, std: tuple[float, ...]
) -> float:
    """Mean absolute difference of the raw features at masked frames.

    In units of the raw features: for ``log_mel`` the natural logarithm of a magnitude,
    where 1.0 is 8.7 dB. As an L1 distance it favours smooth predictions near the median
    over sharp samples.

    Args:
        filled: (T, F) normalised candidate.
        x: (T, F) normalised original.
        mask: (T,) bool, compared frames.
        std: ``FeatureSpec.std``, which undoes the normalisation.
    """
    error = (filled[mask] - x[mask]).abs() * torch.tensor(std, dtype=x.dtype)
    return float(error.mean())


def gap_mask(
    gaps: list[tuple[float, float]], num_frames: int, frame_rate: float, where: str
) -> Tensor:
    """Mark the frames between start and end, given in seconds.

    Args:
        gaps: Pairs of start and end (seconds).
        num_frames: T.
        frame_rate: Frames per second.
        where: Name of the file, for the errors.

    Returns:
        (T,) bool.

    Raises:
        ValueError: If a gap is empty or outside the file, or all is masked.
    """
    seconds = num_frames / frame_rate
    mask = torch.zeros(num_frames, dtype=torch.bool)
    for start, end in gaps:
        if not (math.isfinite(start) and math.isfinite(end) and start < end):
            raise ValueError(
                f"{where}: expected --start before --end, found {start} and {end} "
                "seconds; swap or correct them"
            )
        if start < 0 or end > seconds + 1e-6:
            raise ValueError(
                f"{where}: the gap {start} to {end} seconds lies outside the file, "
                f"which has 0 to {seconds:.2f} seconds; choose a gap inside"
            )
        first = math.floor(start * frame_rate + 1e-6)
        mask[first : math.ceil(end * frame_rate - 1e-6)] = True
    if mask.all():
        raise ValueError(
            f"{where}: all {num_frames} frames are inside the gaps, so there is no "
            "context; make the gaps shorter or use a longer file"
        )
    return mask
