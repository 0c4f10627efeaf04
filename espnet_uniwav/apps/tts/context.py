"""Recordings around the generated speech, and checks of a prompt."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from espnet_uniwav.core.features import FeatureSpec

MIN_SECONDS, MAX_SECONDS = 0.5, 30.0


@dataclass(frozen=True)
class Context:
    """Speech that is kept unchanged, before or after the generated speech.

    Attributes:
        x: (T, F) features.
        tokens: (L,) what is said; None if unknown.
        durations: (L,) frames of the tokens, summing to T; None: found by the model.
        mismatch: Nats per frame by which the tokens fit worse than the best ones, if
            the model aligned them.
    """

    x: Tensor
    tokens: Tensor | None = None
    durations: Tensor | None = None
    mismatch: float | None = None


def check_prompt(x: Tensor, spec: FeatureSpec) -> None:
    """Refuse a prompt without a voice in it.

    Args:
        x: (T, F) features.
        spec: Of the features.

    Raises:
        ValueError: If it is too short, too long, or silent.
    """
    seconds = len(x) / spec.frame_rate
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise ValueError(
            f"the prompt lasts {seconds:.2f} s: expected {MIN_SECONDS} to "
            f"{MAX_SECONDS} s of one speaker (3 to 10 s are best)"
        )
    if not x.isfinite().all() or float(x.std(0).mean()) < 1e-3:
        raise ValueError("the prompt is silent: record it again")
