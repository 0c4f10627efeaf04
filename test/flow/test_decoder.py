"""The flow decoder: what it depends on, skips, padding."""

from __future__ import annotations

import pytest
import torch
from factories import DIM, NUM_MELS, POSITIONS, make_decoder


def draw(batch=2, length=14):
    return (
        torch.randn(batch, length, NUM_MELS),
        torch.rand(batch),
        torch.randn(batch, length, DIM),
    )


@pytest.mark.parametrize("position", POSITIONS)
def test_padding_changes_no_valid_frame(position):
    decoder = make_decoder(position=position).eval()
    x_t, t, z = draw(3, 25)
    lengths = (9, 25, 1)
    padding_mask = torch.arange(25) >= torch.tensor(lengths)[:, None]
    batch = decoder(x_t, t, z, padding_mask)
    assert batch.shape == x_t.shape
    for i, n in enumerate(lengths):
        one = slice(i, i + 1)
        alone = decoder(x_t[one, :n], t[one], z[one, :n])
        torch.testing.assert_close(batch[i, :n], alone[0], atol=5e-5, rtol=1e-4)


def test_batch_of_one_equals_batch_of_many():
    decoder = make_decoder().eval()
    x_t, t, z = draw(4)
    batch = decoder(x_t, t, z)
    for i in range(4):
        one = slice(i, i + 1)
        alone = decoder(x_t[one], t[one], z[one])
        torch.testing.assert_close(batch[one], alone, atol=5e-5, rtol=1e-4)


def test_time_and_condition_matter():
    decoder = make_decoder().eval()
    x_t, t, z = draw()
    velocity = decoder(x_t, t, z)
    assert (velocity - decoder(x_t, t + 0.01, z)).abs().max() > 1e-3
    assert (velocity - decoder(x_t, t, z + 0.1)).abs().max() > 1e-3
    assert (velocity - decoder(x_t + 0.1, t, z)).abs().max() > 1e-3


def test_time_reaches_its_own_utterance_only():
    decoder = make_decoder().eval()
    x_t, t, z = draw()
    other = t.clone()
    other[1] = 1 - other[1]
    change = (decoder(x_t, t, z) - decoder(x_t, other, z)).abs().amax((1, 2))
    assert change[0] == 0 and change[1] > 1e-3


@pytest.mark.parametrize("num_layers", (1, 4, 5))
def test_second_half_reads_the_first_half_in_reverse(num_layers):
    decoder = make_decoder(num_layers=num_layers).eval()
    outputs, joined = [], []
    for layer in decoder.layers:
        layer.register_forward_hook(lambda m, i, o: outputs.append(o[0]))
    for skip in decoder.skips:
        skip.register_forward_hook(lambda m, i, o: joined.append(i[0]))
    decoder(*draw())
    assert len(joined) == num_layers // 2
    for j, x in enumerate(joined):
        layer = num_layers - num_layers // 2 + j
        expected = torch.cat((outputs[layer - 1], outputs[num_layers - 1 - layer]), -1)
        assert torch.equal(x, expected)


def test_time_token_is_near_to_every_frame():
    """No frame pays an ALiBi penalty for the time token."""
    decoder = make_decoder(position="alibi").eval()
    _, order = decoder.positions(torch.randn(1, 9, DIM), None, prefix=1)
    assert (order.bias[:, :, :, 0] == 0).all()
    seen = []
    decoder.layers[0].register_forward_hook(lambda m, i, o: seen.append(i[1].bias))
    decoder(*draw(1, 8))
    assert torch.equal(seen[0], order.bias)


def test_evaluation_is_deterministic():
    decoder = make_decoder(dropout=0.5).eval()
    inputs = draw()
    assert torch.equal(decoder(*inputs), decoder(*inputs))


def test_every_parameter_is_trained():
    decoder = make_decoder(position="conv_alibi")
    decoder(*draw()).sin().sum().backward()
    for name, parameter in decoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
