"""Codes of frames: nearest codewords, residuals, embeddings."""

import pytest
import torch

from espnet_uniwav.apps.tokenizer.fit import fit_codebooks
from espnet_uniwav.apps.tokenizer.quantizer import Quantizer


def make_quantizer(num_codebooks=3, codebook_size=8, state_dim=4, rest_dim=6, dim=6):
    return Quantizer(state_dim, rest_dim, dim, num_codebooks, codebook_size)


def frames(number=400):
    generator = torch.Generator().manual_seed(0)
    state = torch.randn(number, 4, generator=generator)
    rest = torch.randn(number, 6, generator=generator)
    rest[:, :4] += 2 * state
    return state, rest


@pytest.fixture
def fitted():
    quantizer = make_quantizer()
    state, rest = frames()
    fit_codebooks(quantizer, state, rest, rest)
    return quantizer


def test_encode_is_a_greedy_search(fitted):
    state, rest = frames()
    codes = fitted.encode(state, rest)
    assert codes.shape == (3, 400)
    for n in range(0, 400, 41):
        left = rest[n]
        for k in range(3):
            target, words = (
                (state[n], fitted.codewords) if k == 0 else (left, fitted.means[k])
            )
            assert codes[k, n] == (words - target).square().sum(1).argmin()
            left = left - fitted.means[k][codes[k, n]]


def test_every_codebook_leaves_less(fitted):
    state, rest = frames()
    codes = fitted.encode(state, rest)
    errors = [float(rest.square().sum())]
    for k in range(3):
        rest = rest - fitted.means[k][codes[k]]
        errors.append(float(rest.square().sum()))
    assert errors == sorted(errors, reverse=True)
    assert errors[3] < 0.5 * errors[0]


def test_embeddings_start_as_what_is_left_of_z(fitted):
    state, rest = frames()
    codes = fitted.encode(state, rest)
    expected = sum(fitted.means[k][codes[k]] for k in range(3))
    torch.testing.assert_close(fitted(codes[None])[0], expected, rtol=0, atol=0.3)
    assert fitted.embedding.requires_grad and not fitted.codewords.requires_grad


def test_embedding_is_a_sum_over_codebooks():
    quantizer = make_quantizer(num_codebooks=2)
    torch.nn.init.normal_(quantizer.embedding)
    codes = torch.randint(8, (2, 2, 5))
    table = quantizer.embedding
    expected = table[0][codes[:, 0]] + table[1][codes[:, 1]]
    torch.testing.assert_close(quantizer(codes), expected)


def test_too_few_frames_are_refused():
    state, rest = frames(5)
    with pytest.raises(ValueError, match="at least 8 frames.*found 5"):
        fit_codebooks(make_quantizer(), state, rest, rest)
