"""The encoder: masking, padding, batches, determinism."""

import pytest
import torch
from factories import NUM_MELS, POSITIONS, make_encoder

from espnet_uniwav.core.nn.masks import VisibleFrames


def run(encoder, x, padding_mask=None, mask=None):
    return encoder(encoder.embed(x), padding_mask, mask)


both_ways = pytest.mark.parametrize("visible_only", (False, True))


@both_ways
def test_masked_frames_are_hidden(visible_only):
    encoder = make_encoder(visible_only=visible_only).eval()
    mask = torch.zeros(1, 12, dtype=torch.bool)
    mask[:, 3:7] = True
    x, y = torch.randn(2, 1, 12, NUM_MELS)
    hidden = torch.where(mask[..., None], y, x)
    for a, b in zip(run(encoder, x, mask=mask), run(encoder, hidden, mask=mask)):
        assert torch.equal(a, b)
    seen = torch.where(mask[..., None], x, y)
    assert not torch.equal(run(encoder, seen, mask=mask)[-1], run(encoder, x)[-1])


def test_masked_frames_become_the_mask_embedding():
    encoder = make_encoder().eval()
    mask = torch.tensor([[False, True, False]])
    embedded = torch.randn(1, 3, encoder.embed_dim)
    expected = embedded.clone()
    expected[:, 1] = encoder.mask_embedding
    found = encoder(embedded, None, mask)
    assert torch.equal(found[-1], encoder(expected)[-1])


@pytest.mark.parametrize("position", POSITIONS)
def test_visible_only_leaves_masked_frames_out(position):
    """They are treated as padding, and all their states are the mask embedding."""
    encoder = make_encoder(position=position, visible_only=True).eval()
    x = torch.randn(2, 25, NUM_MELS)
    padding_mask = torch.arange(25) >= torch.tensor([[25], [11]])
    mask = (torch.rand(2, 25) < 0.5) & ~padding_mask
    states = run(encoder, x, padding_mask, mask)
    hidden = mask | padding_mask
    for ours, theirs in zip(states, run(encoder, x, hidden)):
        torch.testing.assert_close(ours[~hidden], theirs[~hidden], atol=2e-5, rtol=1e-4)
        assert (ours[mask] == encoder.mask_embedding).all()


@both_ways
@pytest.mark.parametrize("num_ffn", (0, 2))
def test_ffn_outputs_are_those_of_the_top_layers(visible_only, num_ffn):
    """Those of the layers' own FFN, in the frames that the layers read."""
    encoder = make_encoder(visible_only=visible_only).eval()
    x = torch.randn(2, 25, NUM_MELS)
    padding_mask = torch.arange(25) >= torch.tensor([[25], [11]])
    mask = (torch.rand(2, 25) < 0.5) & ~padding_mask
    hidden = mask if visible_only else torch.zeros_like(mask)
    calls = []
    for layer in encoder.transformer.layers[3 - num_ffn :]:
        layer.fc2.register_forward_hook(lambda m, i, o: calls.append(o))
    embedded = encoder.embed(x)
    states, ffn = encoder.outputs(embedded, padding_mask, mask, num_ffn=num_ffn)
    assert len(calls) == len(ffn) == num_ffn
    packed = VisibleFrames(hidden | padding_mask)
    for ours, theirs in zip(ffn, calls):
        if visible_only:
            theirs = packed.unpack(theirs, encoder.mask_embedding)
        valid = ~padding_mask
        assert torch.equal(ours[valid], theirs[valid])
    for a, b in zip(states, encoder(embedded, padding_mask, mask)):
        assert torch.equal(a, b)


def test_without_a_mask_visible_only_changes_nothing():
    x = torch.randn(2, 25, NUM_MELS)
    torch.manual_seed(0)
    ours, theirs = make_encoder(visible_only=True), make_encoder()
    theirs.load_state_dict(ours.state_dict())
    for a, b in zip(run(ours.eval(), x), run(theirs.eval(), x)):
        assert torch.equal(a, b)


@both_ways
@pytest.mark.parametrize("position", POSITIONS)
def test_padding_changes_no_valid_frame(position, visible_only):
    encoder = make_encoder(position=position, visible_only=visible_only).eval()
    lengths = (9, 25, 1)
    x = torch.randn(3, 25, NUM_MELS)
    padding_mask = torch.arange(25) >= torch.tensor(lengths)[:, None]
    mask = torch.rand(3, 25) < 0.4
    batch = run(encoder, x, padding_mask, mask)
    assert len(batch) == encoder.num_layers + 1
    for i, length in enumerate(lengths):
        alone = run(encoder, x[i : i + 1, :length], None, mask[i : i + 1, :length])
        for ours, theirs in zip(batch, alone):
            torch.testing.assert_close(
                ours[i, :length], theirs[0], atol=2e-5, rtol=1e-4
            )


@both_ways
def test_every_parameter_is_trained(visible_only):
    encoder = make_encoder(position="conv_alibi", visible_only=visible_only)
    mask = torch.rand(2, 14) < 0.5
    run(encoder, torch.randn(2, 14, NUM_MELS), None, mask)[-1].sin().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
