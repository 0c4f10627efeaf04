"""The codebooks of a tokenizer, by k-means over the frames of a corpus."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor

from espnet_uniwav.tokenizer.quantizer import Quantizer
from espnet_uniwav.tokenizer.tokenizer import UniWavTokenizer


def collect_frames(
    tokenizer: UniWavTokenizer, speech: Iterable[Tensor], step: int = 1
) -> tuple[Tensor, Tensor, Tensor]:
    """State, rest and z of many utterances, see ``UniWavTokenizer.frames``.

    Args:
        tokenizer: Fitted or not.
        speech: Samples (S,) of each.
        step: Every step-th frame is kept.

    Returns:
        Three of (N, .).
    """
    pieces = []
    for own in speech:
        x = tokenizer.features.extract_one(own)[None]
        pieces.append([frames[0, ::step] for frames in tokenizer.frames(x)])
    return tuple(torch.cat(part) for part in zip(*pieces))


@torch.no_grad()
def fit_codebooks(
    quantizer: Quantizer, state: Tensor, rest: Tensor, z: Tensor, seed: int = 0
) -> None:
    """Cluster frames into codebooks, and place the embeddings.

    Every embedding starts as the mean, over the frames of its code, of what the codes
    before it leave of z.

    Args:
        quantizer: To be fitted.
        state: (N, state_dim).
        rest: (N, rest_dim).
        z: (N, D).
        seed: Of k-means.

    Raises:
        ValueError: If there are fewer frames than codewords.
    """
    size = quantizer.codebook_size
    if len(state) < size:
        raise ValueError(
            f"expected at least {size} frames, one for each codeword, found "
            f"{len(state)}; give more speech or a smaller codebook_size"
        )
    for k in range(quantizer.num_codebooks):
        centroids, codes = _cluster(state if k == 0 else rest, size, seed)
        if k == 0:
            quantizer.codewords.copy_(centroids)
            centroids = _means(rest, codes, size)
        quantizer.means[k] = centroids
        quantizer.embedding[k] = _means(z, codes, size)
        rest = rest - quantizer.means[k][codes]
        z = z - quantizer.embedding[k][codes]


def _cluster(frames: Tensor, size: int, seed: int) -> tuple[Tensor, Tensor]:
    """Centroids (V, D) and the code (N,) of every frame."""
    kmeans = MiniBatchKMeans(
        size, batch_size=4096, n_init=1, max_iter=20, random_state=seed
    )
    codes = kmeans.fit_predict(frames.numpy().astype(np.float32))
    return (
        torch.from_numpy(kmeans.cluster_centers_).float(),
        torch.from_numpy(codes).long(),
    )


def _means(frames: Tensor, codes: Tensor, size: int) -> Tensor:
    """(V, D) mean of the frames of every code; zero without any."""
    total = frames.new_zeros(size, frames.shape[1]).index_add_(0, codes, frames)
    return total / codes.bincount(minlength=size).clamp(min=1)[:, None]
