"""Codes of frames: nearest codewords, residuals, embeddings."""

import pytest
import torch

from espnet_uniwav.apps.tokenizer.cluster_quantizer import ClusterQuantizer
from espnet_uniwav.apps.tokenizer.config import TokenizerConfig
from espnet_uniwav.apps.tokenizer.fit import fit_codebooks


def make_quantizer(num_codebooks=3):
    """Of states of width 6, whitened to 4, and features of width 6."""
    return ClusterQuantizer(6, 6, TokenizerConfig(1, num_codebooks, 8, num_axes=4))


def frames(number=400):
    generator = torch.Generator().manual_seed(0)
    state = torch.randn(number, 4, generator=generator)
    rest = torch.randn(number, 6, generator=generator)
    rest[:, :4] += 2 * state
    target = torch.cat((state, torch.zeros(number, 6)), dim=1)
    return target, rest


@pytest.fixture
def fitted():
    quantizer = make_quantizer()
    target, rest = frames()
    fit_codebooks(quantizer, target, rest, rest)
    return quantizer


def test_encode_is_a_greedy_search(fitted):
    target, rest = frames()
    codes = fitted.encode(target, rest)
    assert codes.shape == (3, 400)
    for n in range(0, 400, 41):
        left = rest[n]
        for k in range(3):
            aim, words = (
                (target[n], fitted.semantic_codebook)
                if k == 0
                else (left, fitted.codebooks[k])
            )
            assert codes[k, n] == (words - aim).square().sum(1).argmin()
            left = left - fitted.codebooks[k][codes[k, n]]


def test_every_codebook_leaves_less(fitted):
    target, rest = frames()
    codes = fitted.encode(target, rest)
    errors = [float(rest.square().sum())]
    for k in range(3):
        rest = rest - fitted.codebooks[k][codes[k]]
        errors.append(float(rest.square().sum()))
    assert errors == sorted(errors, reverse=True)
    assert errors[3] < 0.5 * errors[0]


def test_embeddings_start_as_what_is_left_of_z(fitted):
    target, rest = frames()
    codes = fitted.encode(target, rest)
    expected = sum(fitted.codebooks[k][codes[k]] for k in range(3))
    torch.testing.assert_close(fitted.embed(codes[None])[0], expected, rtol=0, atol=0.3)
    assert fitted.embedding.requires_grad and not fitted.semantic_codebook.requires_grad


def test_embedding_is_a_sum_over_codebooks():
    quantizer = make_quantizer(num_codebooks=2)
    torch.nn.init.normal_(quantizer.embedding)
    codes = torch.randint(8, (2, 2, 5))
    table = quantizer.embedding
    expected = table[0][codes[:, 0]] + table[1][codes[:, 1]]
    torch.testing.assert_close(quantizer.embed(codes), expected)


def test_too_few_frames_are_refused():
    target, rest = frames(5)
    with pytest.raises(ValueError, match="at least 8 frames.*found 5"):
        fit_codebooks(make_quantizer(), target, rest, rest)
