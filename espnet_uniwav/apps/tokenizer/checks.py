"""Checks of a tokenizer's inputs."""

from __future__ import annotations

from torch import Tensor

from espnet_uniwav.core.nn.given import SAMPLES, as_lengths, as_tensor


def check_codes(codes: Tensor, numbers: range, codebook_size: int) -> None:
    """Raise ValueError unless these are codes (k, N) with k in numbers."""
    if numbers[-1] == 0:
        raise ValueError("this tokenizer has no codebooks, so nothing to decode")
    good = codes.dim() == 2 and len(codes) in numbers and codes.numel()
    if not good or codes.min() < 0 or codes.max() >= codebook_size:
        several = f"1 to {numbers[-1]}" if len(numbers) > 1 else numbers[-1]
        raise ValueError(
            f"expected codes ({several}, T) from 0 to {codebook_size - 1}, "
            f"found {tuple(codes.shape)}"
            + (f" from {codes.min()} to {codes.max()}" if codes.numel() else "")
            + ": were they made by this tokenizer?"
        )


def check_voices(voices: Tensor, number: int, digits: int) -> None:
    """Raise ValueError unless these are (number, digits) numbers from 0 to 3."""
    good = voices.shape == (number, digits)
    if not good or (voices.numel() and (voices.min() < 0 or voices.max() > 3)):
        raise ValueError(
            f"expected voices ({number}, {digits}) of numbers from 0 to 3, found "
            f"{tuple(voices.shape)}: were they made by this tokenizer?"
        )


def valid_samples(speech, lengths) -> list[Tensor]:
    """The samples of every utterance without its padding.

    Args:
        speech, lengths: As of ``AbsFeatures.extract``.

    Raises:
        TypeError, ValueError: As of ``AbsFeatures.extract``, or if an utterance has no
            samples.
    """
    speech = as_tensor(speech, "speech", "BS", SAMPLES)
    lengths = as_lengths(lengths, speech)
    if empty := [i for i, n in enumerate(lengths.tolist()) if n < 1]:
        raise ValueError(f"expected speech, found no samples in utterances {empty}")
    return [own[:n] for own, n in zip(speech, lengths.tolist())]
