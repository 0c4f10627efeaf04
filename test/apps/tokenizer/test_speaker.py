"""The speaker code: residual scalar quantisation."""

import pytest
import torch

from espnet_uniwav.apps.tokenizer.speaker import (
    TARGET_DEVIATION,
    ResidualScalarQuantizer,
    RunningScale,
    straight_through,
)


@pytest.fixture
def quantizer():
    quantizer = ResidualScalarQuantizer(6)
    chosen = quantizer.allocate(torch.tensor([0.01, 4.0, 1.0, 0.3]))
    assert chosen.tolist() == [1, 2, 3]
    return quantizer


def test_the_largest_error_is_refined_next(quantizer):
    """4.0, then 1.0, then what 4.0 leaves after a digit (0.47), then 0.3, ..."""
    assert quantizer.component.tolist() == [0, 1, 0, 2, 1, 0]


def test_a_digit_is_written_and_read(quantizer):
    a = torch.tensor([[0.7, 0.9, 0.1, 9.0, 9.0, 9.0]]).logit()
    found = quantizer.encode(a)
    # 0.7 = 0.230 in base four, 0.9 = 0.32, 0.1 = 0.0
    assert found.tolist() == [[2, 3, 3, 0, 2, 0]]
    read = quantizer.decode(found).sigmoid()[0]
    assert read[0] == pytest.approx(0.6953125, abs=1e-6)
    assert (read[:2] - a[0, :2].sigmoid()).abs().max() < 1 / 16
    torch.testing.assert_close(read[3:], torch.full((3,), 0.5))


@pytest.mark.parametrize("number", range(7))
def test_every_digit_brings_the_number_nearer(quantizer, number):
    torch.manual_seed(0)
    a = torch.rand(500, 6).logit()
    found = quantizer.encode(a)
    read = quantizer.decode(found[:, :number]).sigmoid()
    depths = [quantizer.component[:number].tolist().count(i) for i in range(3)]
    for i, depth in enumerate(depths):
        assert (read[:, i] - a[:, i].sigmoid()).abs().max() <= 0.5 * 4.0**-depth + 1e-6
    hidden = torch.arange(6).expand(found.shape) < number
    torch.testing.assert_close(quantizer.decode(found, hidden).sigmoid(), read)


def test_all_digits_are_in_use_and_bounded(quantizer):
    a = torch.randn(4000, 6) * 1.81
    found = quantizer.encode(a)
    for column in found.T:
        assert (column.bincount(minlength=4) > 600).all()
    extreme = quantizer.encode(torch.tensor([[1e4] * 6, [-1e4] * 6]))
    assert extreme.tolist() == [[3] * 6, [0] * 6]
    assert quantizer.decode(extreme).isfinite().all()


def test_the_gradient_is_that_of_what_was_written(quantizer):
    a = torch.randn(3, 6, requires_grad=True)
    read = quantizer.decode(quantizer.encode(a))
    value = straight_through(a, read)
    torch.testing.assert_close(value.detach(), read)
    (2 * value).sum().backward()
    assert torch.equal(a.grad, torch.full_like(a, 2.0))


def test_narrower_components_are_widened():
    torch.manual_seed(0)
    scale = RunningScale(2)
    for _ in range(400):
        a = torch.randn(160, 2) * torch.tensor([0.1, 3.0])
        found = scale(a)
    assert ((found.std(0) / TARGET_DEVIATION - 1).abs() < 0.2).all()
    kept = scale.mean_square.clone()
    again = scale.eval()(a)
    torch.testing.assert_close(again, found, rtol=0.02, atol=0.01)
    assert torch.equal(scale.mean_square, kept)
