"""Positions: closed forms of ALiBi and rotary angles, padding, shifts."""

import pytest
import torch
from factories import DIM, POSITIONS, sharpen
from torch.nn.functional import scaled_dot_product_attention

from espnet_uniwav.core.nn.positions import (
    LOWEST_BIAS,
    ConvStack,
    Positions,
    alibi_bias,
    rotary_angles,
    rotate,
)


def test_alibi_falls_linearly_with_distance():
    bias = alibi_bias(torch.arange(6)[None], 8)
    for head in range(8):
        for i in range(6):
            for j in range(6):
                expected = -(2.0 ** -(head + 1)) * abs(i - j)
                assert float(bias[0, head, i, j]) == expected


def test_rotary_products_depend_on_the_distance_only():
    length, head_dim = 9, 8
    rotation = rotary_angles(torch.arange(length)[None], head_dim)
    q, k = torch.randn(2, head_dim)
    queries = rotate(q.expand(1, length, 1, -1), rotation)[0, :, 0]
    keys = rotate(k.expand(1, length, 1, -1), rotation)[0, :, 0]
    products = queries @ keys.T
    for offset in range(-5, 6):
        diagonal = products.diagonal(offset)
        torch.testing.assert_close(
            diagonal, diagonal[:1].expand_as(diagonal), atol=1e-5, rtol=0
        )
    assert (products[0, 1:] - products[0, 0]).abs().min() > 1e-3
    torch.testing.assert_close(queries.norm(dim=-1), q.norm().expand(length))


def test_rotary_frequencies():
    half = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0, 0.0]).expand(1, 5, 2, -1)
    cos, sin = rotate(half, rotary_angles(torch.arange(5)[None], 6)).chunk(2, -1)
    for i in range(3):
        angle = torch.arange(5) * 10000.0 ** (-2 * i / 6)
        torch.testing.assert_close(cos[0, :, 1, i], angle.cos())
        torch.testing.assert_close(sin[0, :, 1, i], angle.sin())


def test_convolutions_move_with_their_input():
    conv = sharpen(ConvStack(DIM, num_layers=2, kernel_size=3))
    x = torch.zeros(1, 30, DIM)
    x[:, 10:20] = torch.randn(1, 10, DIM)
    moved = conv(x.roll(3, 1), None)
    torch.testing.assert_close(
        moved[:, 8:28], conv(x, None).roll(3, 1)[:, 8:28], atol=1e-5, rtol=1e-5
    )


def test_far_frames_count_as_without_a_lowest_bias():
    """Frames farther than LOWEST_BIAS reaches are nothing in fp32."""
    length, heads = 700, 4
    bias = alibi_bias(torch.arange(length)[None], heads)
    assert bias.min() == LOWEST_BIAS
    slopes = torch.exp2(-8.0 * torch.arange(1, heads + 1) / heads)
    frames = torch.arange(length)
    whole = -slopes[:, None, None] * (frames[:, None] - frames).abs()
    q, k, v = torch.randn(3, 1, heads, length, 16)
    found, expected = (
        scaled_dot_product_attention(q, k, v, own) for own in (bias, whole[None])
    )
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


def test_convolutions_are_silent_at_padding_in_front_of_every_layer():
    conv = sharpen(ConvStack(DIM))
    x = torch.randn(2, 40, DIM)
    padding_mask = torch.arange(40) >= torch.tensor([[25], [40]])
    batch = conv(x, padding_mask)
    alone = conv(x[:1, :25], None)
    torch.testing.assert_close(batch[:1, :25], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", POSITIONS)
def test_kinds_hold_what_their_name_says(kind):
    positions = Positions(kind, DIM, 4)
    x = torch.randn(1, 5, DIM)
    y, order = positions(x, None)
    assert torch.equal(x, y) != ("conv" in kind)
    assert (order.bias is not None) == ("alibi" in kind)
    assert (order.rotation is not None) == ("rotary" in kind)


@pytest.mark.parametrize("kind", POSITIONS)
def test_no_kind_attends_to_padding(kind):
    padding_mask = torch.tensor([[False, False, True]])
    _, order = Positions(kind, DIM, 4)(torch.randn(1, 3, DIM), padding_mask)
    blocked = order.bias[..., -1]
    if order.bias.dtype == torch.bool:
        assert not blocked.any() and order.bias[..., :2].all()
    else:
        assert (blocked == float("-inf")).all()
        assert order.bias[..., :2].isfinite().all()


def test_unknown_kind_is_named():
    with pytest.raises(ValueError, match="unknown position 'sinus': choose from"):
        Positions("sinus", DIM, 4)
