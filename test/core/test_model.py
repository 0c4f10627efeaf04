"""The whole model: states, layer weights, infilling."""

import pytest
import torch
from factories import DIM, NUM_MELS, TRANSFORMER, make_model

from espnet_uniwav.core.flow.ode import METHODS, num_evaluations


def draw(batch=2, length=20):
    x = torch.randn(batch, length, NUM_MELS)
    mask = torch.zeros(batch, length, dtype=torch.bool)
    mask[:, 5:11] = True
    return x, mask


def generator(seed=5):
    return torch.Generator().manual_seed(seed)


def fill(model, x, mask, **conf):
    return model.infill(x, mask, **{"num_steps": 2, "generator": generator(), **conf})


@pytest.fixture(params=("data", "path", "visible_only"))
def model(request):
    if request.param == "visible_only":
        return make_model(encoder=dict(TRANSFORMER, visible_only=True))
    return make_model(kept_frames=request.param)


def test_given_frames_stay_bit_for_bit(model):
    x, mask = draw()
    filled = fill(model, x, mask)
    assert torch.equal(filled[~mask], x[~mask])
    assert (filled[mask] != x[mask]).all()
    assert filled.isfinite().all()


@pytest.mark.parametrize("guidance_scale", (0.0, 0.7))
def test_hidden_frames_cannot_leak(model, guidance_scale):
    x, mask = draw()
    other = torch.where(mask[..., None], torch.randn_like(x), x)
    found = [fill(model, y, mask, guidance_scale=guidance_scale) for y in (x, other)]
    assert torch.equal(found[0][mask], found[1][mask])


def test_given_frames_matter(model):
    x, mask = draw()
    other = torch.where(mask[..., None], x, torch.randn_like(x))
    assert not torch.allclose(
        fill(model, x, mask)[mask], fill(model, other, mask)[mask]
    )


def test_generator_makes_it_repeatable(model):
    x, mask = draw()
    first = fill(model, x, mask)
    assert torch.equal(first, fill(model, x, mask))
    assert not torch.equal(first, fill(model, x, mask, generator=generator(6)))


def test_nothing_given_is_filled_too(model):
    x, _ = draw()
    filled = fill(model, x, torch.ones(2, 20, dtype=torch.bool))
    assert filled.isfinite().all()


def test_padding_changes_no_frame(model):
    x, mask = draw()
    noise = torch.randn(2, 30, NUM_MELS)
    longer = torch.cat((x, torch.randn(2, 10, NUM_MELS)), 1)
    padding_mask = (torch.arange(30) >= 20).expand(2, -1)
    mask_longer = torch.nn.functional.pad(mask, (0, 10))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "randn", lambda shape, **k: noise[:, : shape[1]].clone())
        alone = model.infill(x, mask, num_steps=2, guidance_scale=0.5)
        padded = model.infill(
            longer, mask_longer, padding_mask, num_steps=2, guidance_scale=0.5
        )
    torch.testing.assert_close(padded[:, :20], alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("guidance_scale", (0.0, 1.0))
def test_evaluations_of_the_decoder(method, guidance_scale):
    model = make_model()
    calls = []
    model.decoder.register_forward_hook(lambda *a: calls.append(1))
    conf = dict(num_steps=3, method=method, guidance_scale=guidance_scale)
    fill(model, *draw(), **conf)
    expected = num_evaluations(3, method) * (2 if guidance_scale else 1)
    assert len(calls) == expected


def watch(model):
    """(x_t, t, z) of every evaluation of the decoder."""
    seen = []
    model.decoder.register_forward_hook(lambda m, i, o: seen.append(i[:3]))
    return seen


def path_at(t, x):
    """(B, T, F) points of the path of ``fill`` at (B, T) times."""
    x_0 = torch.randn(x.shape, generator=generator())
    t = t[..., None]
    return (1 - (1 - 1e-5) * t) * x_0 + t * x


def test_unconditional_pass_sees_no_given_frame_at_the_start(model):
    """v(empty) = 2 v(c) - v of guidance 1; at t = 0 all frames are noise."""
    x, mask = draw()
    other = torch.where(mask[..., None], x, torch.randn_like(x))
    conf = dict(num_steps=1, method="euler")
    found = []
    for y in (x, other):
        plain, guided = (fill(model, y, mask, guidance_scale=a, **conf) for a in (0, 1))
        found.append((2 * plain - guided)[mask])
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-4)


def test_unconditional_pass_sees_what_dropped_utterances_show_in_training(model):
    """No z, one time for all frames, given frames on their path."""
    x, mask = draw()
    seen = watch(model)
    fill(model, x, mask, num_steps=4, method="euler", guidance_scale=0.5)
    assert len(seen) == 8
    for i in range(4):
        (x_t, _, z), (path, times, empty) = seen[2 * i : 2 * i + 2]
        assert (empty == 0).all() and (z != 0).any()
        assert times.shape == mask.shape and (times == i / 4).all()
        assert torch.equal(path[mask], x_t[mask])
        torch.testing.assert_close(path[~mask], path_at(times, x)[~mask])


def test_guidance_is_linear_in_one_euler_step(model):
    x, mask = draw()
    filled = [
        fill(model, x, mask, num_steps=1, method="euler", guidance_scale=a)[mask]
        for a in (0.0, 1.0, 3.0)
    ]
    conditional, once, guided = filled
    expected = 3 * once - 2 * conditional
    torch.testing.assert_close(guided, expected, atol=1e-3, rtol=1e-3)


def test_temperature_scales_the_noise():
    model = make_model()
    x, mask = draw()
    cold = [
        fill(model, x, mask, temperature=0.0, generator=generator(s)) for s in (1, 2)
    ]
    assert torch.equal(*cold)


@pytest.mark.parametrize("kept_frames", ("data", "path"))
def test_decoder_sees_given_frames_as_in_training(kept_frames):
    model = make_model(kept_frames=kept_frames)
    x, mask = draw()
    seen = watch(model)
    fill(model, x, mask, num_steps=4, method="euler")
    assert len(seen) == 4
    for i, (x_t, t, _) in enumerate(seen):
        assert t.shape == mask.shape and (t[mask] == i / 4).all()
        if kept_frames == "data":
            assert (t[~mask] == 1).all()
            assert torch.equal(x_t[~mask], x[~mask])
        else:
            assert (t[~mask] == i / 4).all()
            torch.testing.assert_close(x_t[~mask], path_at(t, x)[~mask])


def test_states_and_their_weights():
    model = make_model()
    x, mask = draw()
    states = model.hidden_states(x)
    assert len(states) == 4
    assert all(s.shape == (2, 20, DIM) for s in states)
    assert all(torch.equal(a, b) for a, b in zip(states, model.hidden_states(x)))
    weights = model.layer_weights()
    assert weights.shape == (4,) and not weights.requires_grad
    assert float(weights.sum()) == pytest.approx(1.0)
    hidden = model.hidden_states(x, mask=mask)
    assert not torch.equal(hidden[-1], states[-1])


def test_without_decoder():
    model = make_model(decoder=None)
    x, mask = draw()
    assert len(model.hidden_states(x)) == 4
    for call in (model.layer_weights, lambda: model.infill(x, mask)):
        with pytest.raises(RuntimeError, match="without the flow_matching loss"):
            call()


def test_what_callers_give():
    model = make_model()
    speech = 0.1 * torch.randn(2, 4000)
    x, lengths = model.features.extract(speech, torch.tensor([4000, 3000]))
    again, same = model.features.extract(speech.double().numpy(), [4000, 3000])
    assert torch.equal(again, x) and torch.equal(same, lengths)
    one, length = model.features.extract(speech[0])
    assert torch.equal(one, x[:1]) and length.tolist() == [13]
    assert torch.equal(model.features.extract_one(speech[0].numpy()), x[0])
    sound = model.features.invert(one)[0]
    assert torch.equal(model.features.invert(one[0].numpy())[0], sound)
    states = model.hidden_states(one)
    for own in (one.numpy(), one[0].numpy(), one.double()):
        for found, expected in zip(model.hidden_states(own), states):
            assert torch.equal(found, expected)
    mask = torch.arange(13)[None] > 6
    filled = fill(model, one, mask)
    assert torch.equal(fill(model, one[0].numpy(), mask[0].numpy()), filled)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda m: m.features.extract(None), TypeError, "speech: .* found NoneType"),
        (lambda m: m.features.extract_one([[0.0]]), ValueError, r"speech: .*\(1, 1\)"),
        (lambda m: m.hidden_states([[0.0]]), ValueError, r"F = 12, .*\(1, 1, 1\)"),
        (lambda m: m.infill(draw()[0], None), TypeError, "mask: .* found NoneType"),
        (lambda m: m.infill(draw()[0], draw()[1][:, 1:]), ValueError, r"\(2, 19\)"),
        (lambda m: m.from_pretrained(None), TypeError, "checkpoint, found NoneType"),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(make_model())
