"""The transformer: equality with PyTorch's layer, states, padding, dropout."""

import pytest
import torch
from factories import DIM, POSITIONS, make_transformer, sharpen
from torch import nn

from espnet_uniwav.core.nn.positions import Order
from espnet_uniwav.core.nn.transformer import TransformerLayer

NO_ORDER = Order(None, None)


def reference_layer(layer):
    """PyTorch's own encoder layer with the same weights."""
    reference = nn.TransformerEncoderLayer(
        DIM, layer.num_heads, 48, 0.0, "gelu", norm_first=layer.norm_first
    )
    state = layer.state_dict()
    names = {
        "self_attn.in_proj_": "qkv.",
        "self_attn.out_proj.": "out.",
        "linear1.": "fc1.",
        "linear2.": "fc2.",
        "norm1.": "attention_norm.",
        "norm2.": "ffn_norm.",
    }
    reference.load_state_dict(
        {
            theirs + kind: state[ours + kind]
            for theirs, ours in names.items()
            for kind in ("weight", "bias")
        }
    )
    return reference


@pytest.mark.parametrize("norm_first", (False, True))
def test_layer_equals_that_of_pytorch(norm_first):
    layer = sharpen(TransformerLayer(DIM, 4, 48, norm_first))
    x = torch.randn(2, 7, DIM)
    expected = reference_layer(layer)(x.transpose(0, 1)).transpose(0, 1)
    found, ffn = layer(x, NO_ORDER)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    if norm_first:
        middle = x + layer.attention(layer.attention_norm(x), NO_ORDER)
        torch.testing.assert_close(found, middle + ffn)
    else:
        middle = layer.attention_norm(x + layer.attention(x, NO_ORDER))
        torch.testing.assert_close(found, layer.ffn_norm(middle + ffn))


@pytest.mark.parametrize("norm_first", (False, True))
def test_states_and_the_place_of_the_norm(norm_first):
    transformer = make_transformer(norm_first=norm_first)
    x = torch.randn(2, 7, DIM)
    states, ffn_outputs = transformer(x)
    assert len(states) == 4 and len(ffn_outputs) == 3
    embedded, order = transformer.positions(x, None)
    first = embedded if norm_first else transformer.norm(embedded)
    assert torch.equal(states[0], first)
    last, _ = transformer.layers[2](states[2], order)
    last = transformer.norm(last) if norm_first else last
    assert torch.equal(states[3], last)


@pytest.mark.parametrize("norm_first", (False, True))
@pytest.mark.parametrize("position", POSITIONS)
def test_padding_changes_no_valid_frame(position, norm_first):
    transformer = make_transformer(position=position, norm_first=norm_first).eval()
    lengths = (9, 25, 1)
    x = torch.randn(3, 25, DIM)
    padding_mask = torch.arange(25) >= torch.tensor(lengths)[:, None]
    batch = transformer(x, padding_mask)
    for i, length in enumerate(lengths):
        alone = transformer(x[i : i + 1, :length])
        for ours, theirs in zip(batch[0] + batch[1], alone[0] + alone[1]):
            torch.testing.assert_close(
                ours[i, :length], theirs[0], atol=2e-5, rtol=1e-4
            )


@pytest.mark.parametrize("position", POSITIONS)
def test_order_of_frames_matters(position):
    transformer = make_transformer(position=position).eval()
    x = torch.randn(1, 12, DIM)
    flipped = transformer(x.flip(1))[0][-1].flip(1)
    middle = (transformer(x)[0][-1] - flipped).abs().max()
    moved = transformer(x.roll(5, 1))[0][-1].roll(-5, 1)
    assert max(middle, (transformer(x)[0][-1] - moved).abs().max()) > 1e-2


def test_dropout_acts_in_training_only():
    transformer = make_transformer(dropout=0.3)
    x = torch.randn(1, 6, DIM)
    assert not torch.equal(transformer(x)[0][-1], transformer(x)[0][-1])
    transformer.eval()
    assert torch.equal(transformer(x)[0][-1], transformer(x)[0][-1])


def test_dropped_layers_repeat_their_input_in_training_only():
    transformer = make_transformer(layer_drop=1.0)
    states, ffn_outputs = transformer(torch.randn(1, 6, DIM))
    assert len(states) == 4 and not ffn_outputs
    assert all(torch.equal(s, states[0]) for s in states)
    states, ffn_outputs = transformer.eval()(torch.randn(1, 6, DIM))
    assert len(states) == 4 and len(ffn_outputs) == 3
    assert not torch.equal(states[1], states[0])


@pytest.mark.parametrize("position", POSITIONS)
def test_runs_under_autocast(position):
    transformer = make_transformer(position=position)
    padding_mask = torch.tensor([[False] * 5 + [True]])
    x = torch.randn(1, 6, DIM)
    expected = transformer(x, padding_mask)[0][-1][:, :5]
    with torch.autocast("cpu", torch.bfloat16):
        found = transformer(x, padding_mask)[0][-1][:, :5]
    assert (found.float() - expected).abs().mean() < 0.1


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="embed_dim 30 must be a multiple of num_hea"):
        TransformerLayer(30, 4, 8)


def test_the_bias_of_attention_is_kept_once_for_all_layers():
    transformer = make_transformer(position="alibi").train()
    length, kept = 33, set()
    size = transformer.positions.num_heads * length**2

    def keep(tensor):
        if tensor.numel() == size:
            kept.add(tensor.untyped_storage().data_ptr())
        return tensor

    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16),
    ):
        states, _ = transformer(torch.randn(2, length, DIM))
    assert len(kept) == 1
