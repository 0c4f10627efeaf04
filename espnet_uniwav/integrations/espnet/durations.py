"""Check of the durations that ``tts: uniwav`` learns from."""

from __future__ import annotations

from torch import Tensor

TOLERANCE = 2


def check_batch(
    text_lengths: Tensor,
    feats_lengths: Tensor,
    durations: Tensor | None,
    durations_lengths: Tensor | None,
) -> None:
    """Compare lengths, only on the CPU: on a GPU, reading them would synchronise.

    Args:
        text_lengths: (B,) tokens.
        feats_lengths: (B,) frames.
        durations: (B, L) frames of the tokens.
        durations_lengths: (B,).

    Raises:
        ValueError: If durations are missing or do not fit.
    """
    if durations is None:
        raise ValueError(
            "tts: uniwav learns from durations: give FILE,durations,text_int with "
            "--train_data_path_and_name_and_type (see the tts1 recipe)"
        )
    if text_lengths.device.type != "cpu":
        return
    totals = (durations * (durations > 0)).sum(1)
    odd = (totals - feats_lengths).abs() > TOLERANCE
    if (text_lengths != durations_lengths).any() or odd.any():
        raise ValueError(
            f"durations do not fit: {text_lengths.tolist()} tokens with "
            f"{durations_lengths.tolist()} durations, which sum to {totals.tolist()}; "
            f"expected {feats_lengths.tolist()} frames; align the data again"
        )
