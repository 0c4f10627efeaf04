"""Attention: its gradient is that of PyTorch's, by whatever products."""

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from espnet_uniwav.core.nn.attention import LONGEST, _BatchedGradient, attention

PADDING = torch.arange(9) < torch.tensor([9, 5])[:, None, None, None]
BIASES = {
    "none": None,
    "padding": PADDING,
    "slopes": -0.3 * torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(1)),
    "both": torch.full((2, 3, 9, 9), -0.3).masked_fill(~PADDING, float("-inf")),
}


def gradients(attend, inputs, weights):
    inputs = [x.detach().requires_grad_() for x in inputs]
    output = attend(*inputs)
    grads = torch.autograd.grad((output.float() * weights).sum(), inputs)
    return [output.detach(), *grads]


@pytest.mark.parametrize("bias", BIASES.values(), ids=BIASES)
def test_the_batched_gradient_is_that_of_pytorch(bias):
    inputs = torch.randn(3, 2, 9, 3, 8).transpose(2, 3)
    weights = torch.randn(2, 3, 9, 8)
    expected = gradients(
        lambda q, k, v: scaled_dot_product_attention(q, k, v, bias), inputs, weights
    )
    found = gradients(
        lambda q, k, v: _BatchedGradient.apply(q, k, v, bias), inputs, weights
    )
    for one, other in zip(found, expected):
        torch.testing.assert_close(one, other)


def test_in_bfloat16_it_is_as_near_to_fp32_as_that_of_pytorch():
    inputs = torch.randn(3, 2, 40, 3, 64).transpose(2, 3)
    weights = torch.randn(2, 3, 40, 64)
    exact = gradients(scaled_dot_product_attention, inputs, weights)
    halves = inputs.bfloat16()
    theirs = gradients(scaled_dot_product_attention, halves, weights)
    ours = gradients(lambda *qkv: attention(*qkv, None), halves, weights)
    assert torch.equal(ours[0], theirs[0])
    for one, other, true in zip(ours, theirs, exact):
        error, usual = ((x.float() - true).norm() for x in (one, other))
        assert error < 1.5 * usual < 0.05 * true.norm()


@pytest.mark.parametrize(
    "batched, length, dtype, dropout",
    (
        (True, LONGEST, torch.bfloat16, 0.0),
        (False, LONGEST + 1, torch.bfloat16, 0.0),
        (False, 20, torch.float32, 0.0),
        (False, 20, torch.bfloat16, 0.1),
    ),
)
def test_only_where_it_is_faster(batched, length, dtype, dropout):
    qkv = torch.randn(3, 1, 1, length, 8, dtype=dtype, requires_grad=True)
    name = type(attention(*qkv, None, dropout).grad_fn).__name__
    assert ("_BatchedGradient" in name) == batched
    with torch.no_grad():
        assert attention(*qkv, None, dropout).grad_fn is None
