"""The codebooks of a tokenizer, by k-means over the frames of a corpus."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from espnet_uniwav.apps.tokenizer.coding import FEATURES, LEARNED
from espnet_uniwav.apps.tokenizer.kmeans import kmeans
from espnet_uniwav.apps.tokenizer.quantizer import Quantizer
from espnet_uniwav.apps.tokenizer.semantic import SemanticCodebook, join_frames
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
    if tokenizer.layer == LEARNED:
        return fit_groups(tokenizer, speech, step, seed)
    quantizer, pieces = tokenizer.quantizer, []
    for own in speech:
        x = tokenizer.features.extract_one(own)[None].to(quantizer.codewords.device)
        frames = (x, *quantizer.state(tokenizer.uniwav, x))
        pieces.append([part[0, ::step] for part in frames])
    x, state, z = (torch.cat(part) for part in zip(*pieces))
    if not all(part.isfinite().all() for part in (x, state, z)):
        raise ValueError(
            "the model's states are NaN or infinite: export it again, or train it on"
        )
    rest = x
    if quantizer.layer != FEATURES:
        quantizer.readout.fit(z, x)
        rest = quantizer.readout(z).detach()
        quantizer.metric.fit(state, rest)
        state = quantizer.metric(state, rest)
    return fit_codebooks(quantizer, state, rest, z, seed)


@torch.no_grad()
def fit_groups(
    tokenizer: UniWavTokenizer, speech: Iterable[Tensor], step: int = 1, seed: int = 0
) -> Tensor:
    """Cluster groups of frames into residual codebooks; as of ``fit_tokenizer``."""
    quantizer, device = tokenizer.quantizer, tokenizer.features.device
    found, means, states = [], [], []
    for own in speech:
        x = tokenizer.features.extract_one(own)[None].to(device)
        groups, mean = quantizer.groups(x, None)
        found.append(groups[0, ::step])
        means.append(mean)
        if quantizer.semantic is not None:
            state = quantizer.semantic.state(tokenizer.uniwav, x)
            states.append(join_frames(state, quantizer.frames_per_code)[0, ::step])
    left, codes = torch.cat(found), []
    quantizer.start_voice(torch.cat(means), tokenizer.uniwav.decoder.precondition)
    for k, codebook in enumerate(quantizer.codebooks):
        if k == 0 and states:
            own = _fit_semantic(quantizer.semantic, torch.cat(states), seed)
            centroids = _means(left, own, quantizer.codebook_size)
        else:
            centroids, own = _cluster(left, quantizer.codebook_size, seed)
        codebook.copy_(centroids)
        codes.append(own)
        left = left - centroids[own]
    return torch.stack(codes)


def _fit_semantic(semantic: SemanticCodebook, states: Tensor, seed: int) -> Tensor:
    """Fit axes and clusters to groups of states (N, .); their codes (N,)."""
    states = states.unflatten(1, (semantic.frames_per_code, -1))
    flat = states.flatten(0, 1)
    semantic.metric.fit(flat, flat)
    groups = semantic.metric(states, states).flatten(1)
    centroids, codes = _cluster(groups, len(semantic.centroids), seed)
    semantic.centroids.copy_(centroids)
    return codes


@torch.no_grad()
def fit_codebooks(
    quantizer: Quantizer, state: Tensor, rest: Tensor, z: Tensor, seed: int = 0
) -> Tensor:
    """Cluster frames into codebooks, and initialise the embeddings.

    Every embedding starts as the mean residual of z over the frames of its code, after
    the codebooks before it.

    Args:
        quantizer: To be fitted.
        state: (N, state_dim).
        rest: (N, rest_dim).
        z: (N, D).
        seed: Seed of k-means.

    Returns:
        (K, N) codes of the frames.

    Raises:
        ValueError: If there are fewer frames than codewords.
    """
    size, found = quantizer.codebook_size, []
    for k in range(quantizer.num_codebooks):
        centroids, codes = _cluster(state if k == 0 else rest, size, seed)
        if k == 0:
            quantizer.codewords.copy_(centroids)
            centroids = _means(rest, codes, size)
        quantizer.means[k] = centroids
        quantizer.embedding[k] = _means(z, codes, size)
        rest = rest - quantizer.means[k][codes]
        z = z - quantizer.embedding[k][codes]
        found.append(codes)
    return torch.stack(found)


def describe_usage(counts: Tensor) -> str:
    """Describe the usage and entropy of each codebook by the counts (K, V)."""
    shares = (counts > 0).float().mean(1)
    entropies = perplexity(counts).log2()
    return "; ".join(
        f"codebook {k + 1}: {100 * share:.1f} % of the codes in use, entropy "
        f"{entropy:.2f} of {math.log2(counts.shape[1]):.2f} bits"
        for k, (share, entropy) in enumerate(zip(shares, entropies))
    )


def _cluster(frames: Tensor, size: int, seed: int) -> tuple[Tensor, Tensor]:
    """Centroids (V, D) and the code (N,) of every frame."""
    centroids, codes = kmeans(frames.float().cpu().numpy(), size, seed)
    centroids, codes = torch.from_numpy(centroids), torch.from_numpy(codes)
    return centroids.float().to(frames.device), codes.long().to(frames.device)


def _means(frames: Tensor, codes: Tensor, size: int) -> Tensor:
    """(V, D) mean of the frames of every code; zero without any."""
    total = frames.new_zeros(size, frames.shape[1]).index_add_(0, codes, frames)
    return total / codes.bincount(minlength=size).clamp(min=1)[:, None]
