"""Checks of a tokenizer's arguments and inputs."""

from __future__ import annotations

import torch
from torch import Tensor

from espnet_uniwav.model import UniWav

FEATURES, LEARNED = "features", "learned"


def check_arguments(
    uniwav: UniWav, layer: int | str, num_codebooks: int, codebook_size: int
) -> None:
    """Raise ValueError unless ``UniWavTokenizer`` can be made of its arguments."""
    if uniwav.decoder is None:
        raise ValueError(
            "a tokenizer needs a model with a decoder: use a checkpoint trained with "
            "the flow_matching loss, or add a decoder to its configuration"
        )
    layers = range(uniwav.encoder.num_layers + 1)
    if layer not in (FEATURES, LEARNED) and layer not in layers:
        raise ValueError(
            f"layer: expected {layers[0]} to {layers[-1]}, {FEATURES} or {LEARNED}, "
            f"found {layer}"
        )
    if num_codebooks < 0 or codebook_size < 2:
        raise ValueError(
            "expected num_codebooks of 0 or more and codebook_size of 2 or more, "
            f"found {num_codebooks} and {codebook_size}"
        )


def check_sharing(layer: int | str, frames_per_code: int, voice_digits: int) -> None:
    """Raise ValueError if only learned codes can be shared by frames as it is asked."""
    if frames_per_code < 1 or voice_digits < 0:
        raise ValueError(
            "expected frames_per_code of 1 or more and voice_digits of 0 or more, "
            f"found {frames_per_code} and {voice_digits}"
        )
    if layer != LEARNED and (frames_per_code > 1 or voice_digits):
        raise ValueError(
            f"frames_per_code and voice_digits need layer: {LEARNED}, found {layer}"
        )


def check_semantic(layer: int | str, semantic: int | None, num_layers: int) -> None:
    """Raise ValueError unless clusters of this state can be the first code."""
    if semantic is None:
        return
    if layer != LEARNED:
        raise ValueError(f"semantic needs layer: {LEARNED}, found {layer}")
    if semantic not in range(1, num_layers + 1):
        raise ValueError(
            f"semantic: expected a state from 1 to {num_layers}, found {semantic}"
        )


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


def check_voices(voices: Tensor | None, number: int, digits: int) -> None:
    """Raise ValueError unless these are (number, digits) numbers from 0 to 3."""
    if voices is None:
        return
    good = voices.shape == (number, digits)
    if not good or (voices.numel() and (voices.min() < 0 or voices.max() > 3)):
        raise ValueError(
            f"expected voices ({number}, {digits}) of numbers from 0 to 3, found "
            f"{tuple(voices.shape)}: were they made by this tokenizer?"
        )


def valid_samples(speech: Tensor, lengths: Tensor | None) -> list[Tensor]:
    """The samples of every utterance without its padding.

    Raises:
        ValueError: If an utterance has no samples.
    """
    if lengths is None:
        lengths = torch.full((len(speech),), speech.shape[1])
    if empty := [i for i, n in enumerate(lengths.tolist()) if n < 1]:
        raise ValueError(f"expected speech, found no samples in utterances {empty}")
    return [own[:n] for own, n in zip(speech, lengths.tolist())]
