"""The codebooks of a tokenizer, by k-means over the frames of a corpus."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from espnet_uniwav.apps.tokenizer.cluster_quantizer import ClusterQuantizer
from espnet_uniwav.apps.tokenizer.config import LEARNED
from espnet_uniwav.apps.tokenizer.kmeans import kmeans
from espnet_uniwav.apps.tokenizer.semantic import SemanticCodebook, group_frames
from espnet_uniwav.apps.tokenizer.tokenizer import UniWavTokenizer
from espnet_uniwav.core.ssl.codebook import perplexity


def fit_tokenizer(
    tokenizer: UniWavTokenizer, speech: Iterable[Tensor], step: int = 1, seed: int = 0
) -> Tensor:
    """Fit the linear maps, then the codebooks.

    Args:
        tokenizer: To be fitted.
        speech: Samples (S,) of every utterance.
        step: Every step-th frame is used.
        seed: Seed of k-means.

    Returns:
        (K, N) codes of the frames.

    Raises:
        ValueError: If there are fewer frames than codewords, or a state is not finite.
    """
    device = tokenizer.features.device
    xs = (tokenizer.features.extract_one(own)[None].to(device) for own in speech)
    fit = fit_groups if tokenizer.layer == LEARNED else fit_clusters
    return fit(tokenizer, xs, step, seed)


@torch.no_grad()
def fit_clusters(
    tokenizer: UniWavTokenizer, xs: Iterable[Tensor], step: int, seed: int
) -> Tensor:
    """Cluster frames of the states of features (1, T, F); as of ``fit_tokenizer``."""
    quantizer, pieces = tokenizer.quantizer, []
    for x in xs:
        frames = (x, *quantizer.read_encoder(tokenizer.uniwav, x))
        pieces.append([part[0, ::step] for part in frames])
    x, state, z = (torch.cat(part) for part in zip(*pieces))
    if not all(part.isfinite().all() for part in (x, state, z)):
        raise ValueError(
            "the model's states are NaN or infinite: export it again, or train it on"
        )
    quantizer.fit_maps(x, state, z)
    return fit_codebooks(quantizer, *quantizer.targets(x, state, z), z, seed)


@torch.no_grad()
def fit_codebooks(
    quantizer: ClusterQuantizer, target: Tensor, rest: Tensor, z: Tensor, seed: int = 0
) -> Tensor:
    """Cluster frames into codebooks, and initialise the embeddings.

    Every embedding starts as the mean residual of z over the frames of its code, after
    the codebooks before it.

    Args:
        quantizer: To be fitted.
        target: (N, .) s of the quantizer.
        rest: (N, F) its r.
        z: (N, D).
        seed: Seed of k-means.

    Returns:
        (K, N) codes of the frames.

    Raises:
        ValueError: If there are fewer frames than codewords.
    """
    first = _fit_clusters(quantizer.semantic_codebook, target, seed)
    codes = _fit_residual(quantizer.codebooks, rest, seed, first)
    for embedding, own in zip(quantizer.embedding, codes):
        embedding.copy_(_means(z, own, len(embedding)))
        z = z - embedding[own]
    return codes


@torch.no_grad()
def fit_groups(
    tokenizer: UniWavTokenizer, xs: Iterable[Tensor], step: int, seed: int
) -> Tensor:
    """Cluster groups of frames of features (1, T, F); as of ``fit_tokenizer``."""
    quantizer, found, means, states = tokenizer.quantizer, [], [], []
    for x in xs:
        groups, mean = quantizer.groups(x, None)
        found.append(groups[0, ::step])
        means.append(mean)
        if quantizer.semantic is not None:
            state = quantizer.semantic.state(tokenizer.uniwav, x)
            states.append(group_frames(state, quantizer.frames_per_code)[0, ::step])
    quantizer.speaker.fit(torch.cat(means), tokenizer.uniwav.decoder.precondition)
    first = None
    if states:
        first = _fit_semantic(quantizer.semantic, torch.cat(states), seed)
    return _fit_residual(quantizer.codebooks, torch.cat(found), seed, first)


def _fit_semantic(semantic: SemanticCodebook, states: Tensor, seed: int) -> Tensor:
    """Fit axes and clusters to groups of states (N, .); their codes (N,)."""
    states = states.unflatten(1, (semantic.frames_per_code, -1))
    semantic.whitening.fit(states.flatten(0, 1))
    groups = semantic.whitening(states).flatten(1)
    return _fit_clusters(semantic.centroids, groups, seed)


def _fit_residual(
    codebooks: Tensor, x: Tensor, seed: int, first: Tensor | None = None
) -> Tensor:
    """Fit codebooks (K, V, D) to vectors (N, D), see ``encode_residual``.

    Args:
        codebooks: Are set.
        x: Vectors.
        seed: Seed of k-means.
        first: (N,) the first code, if known; its codewords are the means of x.

    Returns:
        (K, N) codes.
    """
    codes = []
    for k, codebook in enumerate(codebooks):
        if k == 0 and first is not None:
            own = first
            codebook.copy_(_means(x, own, len(codebook)))
        else:
            own = _fit_clusters(codebook, x, seed)
        x = x - codebook[own]
        codes.append(own)
    return torch.stack(codes)


def _fit_clusters(codebook: Tensor, x: Tensor, seed: int) -> Tensor:
    """Set a codebook (V, D) to the centroids of vectors (N, D); their codes (N,)."""
    centroids, codes = kmeans(x.float().cpu().numpy(), len(codebook), seed)
    codebook.copy_(torch.from_numpy(centroids))
    return torch.from_numpy(codes).long().to(x.device)


def describe_usage(counts: Tensor) -> str:
    """Describe the usage and entropy of each codebook by the counts (K, V)."""
    shares = (counts > 0).float().mean(1)
    entropies = perplexity(counts).log2()
    return "; ".join(
        f"codebook {k + 1}: {100 * share:.1f} % of the codes in use, entropy "
        f"{entropy:.2f} of {math.log2(counts.shape[1]):.2f} bits"
        for k, (share, entropy) in enumerate(zip(shares, entropies))
    )


def _means(frames: Tensor, codes: Tensor, size: int) -> Tensor:
    """(V, D) mean of the frames of every code; zero without any."""
    total = frames.new_zeros(size, frames.shape[1]).index_add_(0, codes, frames)
    return total / codes.bincount(minlength=size).clamp(min=1)[:, None]
