"""Checks of a tokenizer's arguments and inputs."""

from __future__ import annotations

import torch
from torch import Tensor

from espnet_uniwav.model import UniWav

FEATURES = "features"


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
    if layer != FEATURES and layer not in layers:
        raise ValueError(
            f"layer: expected {layers[0]} to {layers[-1]} or {FEATURES}, found {layer}"
        )
    if num_codebooks < 0 or codebook_size < 2:
        raise ValueError(
            "expected num_codebooks of 0 or more and codebook_size of 2 or more, "
            f"found {num_codebooks} and {codebook_size}"
        )


def check_codes(codes: Tensor, num_codebooks: int, codebook_size: int) -> None:
    """Raise ValueError unless these are codes (K, T) of K codebooks of that size."""
    if not num_codebooks:
        raise ValueError("this tokenizer has no codebooks, so nothing to decode")
    good = codes.dim() == 2 and len(codes) == num_codebooks and codes.numel()
    if not good or codes.min() < 0 or codes.max() >= codebook_size:
        raise ValueError(
            f"expected codes ({num_codebooks}, T) from 0 to {codebook_size - 1}, "
            f"found {tuple(codes.shape)}"
            + (f" from {codes.min()} to {codes.max()}" if codes.numel() else "")
            + ": were they made by this tokenizer?"
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
