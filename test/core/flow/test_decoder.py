"""The flow decoder: its start, what it depends on, skips, padding."""

import pytest
import torch
from factories import DIM, NUM_MELS, POSITIONS, fit, make_decoder

from espnet_uniwav.core.flow.decoder import FlowDecoder
from espnet_uniwav.core.flow.gaps import interpolate


def draw(batch=2, length=14):
    return (
        torch.randn(batch, length, NUM_MELS),
        torch.rand(batch, length),
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
        alone = decoder(x_t[one, :n], t[one, :n], z[one, :n])
        torch.testing.assert_close(batch[i, :n], alone[0], atol=5e-5, rtol=1e-4)


def test_time_and_condition_matter():
    decoder = make_decoder().eval()
    x_t, t, z = draw()
    velocity = decoder(x_t, t, z)
    assert (velocity - decoder(x_t, t + 0.01, z)).abs().max() > 1e-3
    assert (velocity - decoder(x_t, t, z + 0.1)).abs().max() > 1e-3
    assert (velocity - decoder(x_t + 0.1, t, z)).abs().max() > 1e-3


def test_time_enters_at_its_own_frame_only():
    decoder = make_decoder().eval()
    entered = []
    decoder.layers[0].register_forward_hook(lambda m, i, o: entered.append(i[0]))
    x_t, t, z = draw()
    other = t.clone()
    other[1, 3] = 1 - other[1, 3]
    change = (decoder(x_t, t, z) - decoder(x_t, other, z)).abs().amax(-1)
    assert (change[0] == 0).all() and (change[1] > 1e-4).all()
    # Its embedding is added, beyond what the scale of the input does.
    expected = torch.zeros(2, 14, dtype=torch.bool)
    expected[1, 3] = True
    assert torch.equal((entered[0] != entered[1]).any(-1), expected)
    x_t = decoder.precondition.scale_input(x_t, t)
    x_t = torch.cat([x_t, torch.zeros_like(x_t), z], -1)
    embedded = decoder.input_projection(x_t) + decoder.time_embedding(t)
    torch.testing.assert_close(entered[0], embedded)


def test_untrained_decoder_knows_what_the_precondition_knows():
    decoder = fit(FlowDecoder(NUM_MELS, DIM, 2, DIM, 4, 48, "rotary")).eval()
    x_t, t, z = draw()
    guess = decoder.precondition.velocity(torch.zeros_like(x_t), x_t, t)
    assert torch.equal(decoder(x_t, t, z), guess)


def test_last_map_is_turned_into_a_velocity():
    decoder = make_decoder().eval()
    outputs = []
    decoder.output_projection.register_forward_hook(lambda m, i, o: outputs.append(o))
    x_t, t, z = draw()
    velocity = decoder(x_t, t, z)
    assert torch.equal(velocity, decoder.precondition.velocity(outputs[0], x_t, t))


def test_linear_maps_keep_the_variance():
    decoder = FlowDecoder(NUM_MELS, 300, 2, 256, 4, 400, "rotary")
    for name, module in decoder.named_modules():
        if isinstance(module, torch.nn.Linear) and module.out_features > NUM_MELS:
            expected = module.in_features**-0.5
            assert module.weight.std().item() == pytest.approx(expected, rel=0.03), name
            assert (module.bias == 0).all(), name


def test_fp32_velocity_under_autocast():
    decoder = make_decoder().eval()
    with torch.autocast("cpu", torch.bfloat16):
        assert decoder(*draw()).dtype == torch.float32


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


def test_evaluation_is_deterministic():
    decoder = make_decoder(dropout=0.5).eval()
    inputs = draw()
    assert torch.equal(decoder(*inputs), decoder(*inputs))


def test_given_frames_reach_the_gap():
    """Frames at t = 1 are interpolated over the gap, at the input and as a guess."""
    decoder = make_decoder().eval()
    seen, outputs = [], []
    decoder.layers[0].register_forward_hook(lambda m, i, o: seen.append(i[0]))
    decoder.output_projection.register_forward_hook(lambda m, i, o: outputs.append(o))
    x_t, t, z = draw()
    t[:, ::3] = 1.0
    velocity = decoder(x_t, t, z)
    x = decoder.precondition.scale_input(x_t, t)
    context = interpolate(x, t == 1)
    expected = decoder.input_projection(torch.cat([x, context, z], -1))
    torch.testing.assert_close(seen[0], expected + decoder.time_embedding(t))
    guess = decoder.context_gain * context
    expected = decoder.precondition.velocity(outputs[0], x_t, t, guess)
    assert torch.equal(velocity, expected)


def test_a_draft_takes_the_place_of_the_interpolation():
    """The interpolation itself as a draft changes nothing; given frames need none."""
    decoder = make_decoder().eval()
    x_t, t, z = draw()
    t[:, ::3] = 1.0
    plain = decoder(x_t, t, z)
    x = decoder.precondition.scale_input(x_t, t)
    draft = interpolate(x, t == 1)
    draft[:, ::3] = 7.0
    assert torch.equal(decoder(x_t, t, torch.cat((z, draft), -1)), plain)
    assert not torch.equal(decoder(x_t, t, torch.cat((z, -draft), -1)), plain)


def test_every_parameter_is_trained():
    decoder = make_decoder(position="conv_alibi")
    x_t, t, z = draw()
    t[:, ::3] = 1.0
    decoder(x_t, t, z).sin().sum().backward()
    for name, parameter in decoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
