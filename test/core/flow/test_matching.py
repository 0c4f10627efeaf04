"""The decoder's objective: its inputs, the frames in the loss, fp32."""

import pytest
import torch
from factories import (
    DIM,
    NUM_MELS,
    flow_batch,
    make_encoder,
    make_flow_matching,
    sharpen,
)
from torch import nn

from espnet_uniwav.core.flow.matching import draw_crops
from espnet_uniwav.core.flow.ode import SIGMA_MIN
from espnet_uniwav.core.flow.precondition import Precondition

LENGTHS = torch.tensor([11, 25, 25])


class Recorder(nn.Module):
    """A fake decoder: records its inputs, returns a constant."""

    def __init__(self):
        super().__init__()
        self.precondition = Precondition(NUM_MELS)
        self.answer = nn.Parameter(torch.zeros(()))

    def forward(self, x_t, t, z, padding_mask=None):
        self.x_t, self.t, self.z, self.padding_mask = x_t, t, z, padding_mask
        return (torch.zeros_like(x_t) + self.answer).requires_grad_()


def draw(batch=3, length=25):
    features = torch.randn(batch, length, NUM_MELS)
    states = [torch.randn(batch, length, DIM) for _ in range(4)]
    lengths = LENGTHS.repeat(batch // 3)
    padding_mask = torch.arange(length) >= lengths[:, None]
    mask = (torch.rand(batch, length) < 0.5) & ~padding_mask
    return features, states, padding_mask, mask


def make_recorded(**conf):
    objective = make_flow_matching(**conf)
    objective.decoder = Recorder()
    return objective


def velocity_of(recorder, x_1):
    """x_0 and dx_t of the path at masked frames, from x_t, t and x_1."""
    t = recorder.t[..., None].double()
    x_0 = (recorder.x_t.double() - t * x_1) / (1 - (1 - SIGMA_MIN) * t)
    return x_0, x_1 - (1 - SIGMA_MIN) * x_0


@pytest.mark.parametrize("answer", (0.0, 0.7))
def test_loss_is_the_mean_squared_error_at_masked_frames(answer):
    objective = make_recorded(drop_prob=0.0)
    objective.decoder.answer.data.fill_(answer)
    features, states, padding_mask, mask = draw()
    loss, _ = objective(flow_batch(features, states, padding_mask, mask))
    _, dx_t = velocity_of(objective.decoder, features)
    expected = (dx_t[mask] - answer).square().mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-3)


def test_inputs_of_the_decoder():
    objective = make_recorded(drop_prob=0.0)
    objective.weighted_sum.logits.data = torch.tensor([0.0, 1.0, 2.0, -1.0])
    features, states, padding_mask, mask = draw()
    objective(flow_batch(features, states, padding_mask, mask))
    seen = objective.decoder
    torch.testing.assert_close(seen.z, objective.weighted_sum(states))
    assert seen.padding_mask is padding_mask
    torch.testing.assert_close(seen.x_t[~mask], features[~mask], atol=1e-4, rtol=0)
    assert ((seen.x_t - features)[mask].abs() > 1e-4).float().mean() > 0.99
    assert seen.t.shape == (3, 25) and (seen.t[~mask] == 1).all()
    for t, own in zip(seen.t, mask):
        assert (t[own] == t[own][0]).all() and 0 <= t[own][0] < 1


def test_time_is_drawn_per_utterance_and_noise_is_standard():
    objective = make_recorded(drop_prob=0.0, kept_frames="path")
    features, states, padding_mask, mask = draw(300)
    objective(flow_batch(features, states, padding_mask, mask))
    times = objective.decoder.t[:, 0]
    assert (objective.decoder.t == times[:, None]).all()
    assert len(set(times.tolist())) > 290
    assert abs(float(times.mean()) - 0.5) < 0.06
    early = times < 0.9
    x_0, _ = velocity_of(objective.decoder, features)
    assert abs(float(x_0[early].mean())) < 0.02
    assert abs(float(x_0[early].std()) - 1) < 0.02


def test_kept_frames_may_lie_on_the_path(monkeypatch):
    monkeypatch.setattr(torch, "randn_like", torch.cos)
    objective = make_recorded(drop_prob=0.0, kept_frames="path")
    features, states, padding_mask, mask = draw()
    objective(flow_batch(features, states, padding_mask, mask))
    seen = objective.decoder
    assert (seen.t == seen.t[:, :1]).all() and (seen.t < 1).all()
    expected = (1 - (1 - SIGMA_MIN) * seen.t[..., None]) * features.cos()
    expected = expected + seen.t[..., None] * features
    torch.testing.assert_close(seen.x_t, expected)
    with pytest.raises(ValueError, match="kept_frames must be one of .* found 'none'"):
        make_flow_matching(kept_frames="none")


def test_dropped_condition_hides_states_and_kept_frames():
    objective = make_recorded(drop_prob=1.0)
    features, states, padding_mask, mask = draw()
    objective(flow_batch(features, states, padding_mask, mask))
    seen = objective.decoder
    assert (seen.z == 0).all()
    assert (seen.t == seen.t[:, :1]).all() and (seen.t < 1).all()
    assert (seen.x_t != features).all()


def test_condition_is_dropped_per_utterance():
    objective = make_recorded(drop_prob=0.3)
    features, states, padding_mask, mask = draw(900)
    objective(flow_batch(features, states, padding_mask, mask))
    zero = objective.decoder.z == 0
    dropped = zero.all(-1).all(-1)
    assert torch.equal(dropped, zero.any(-1).any(-1))
    assert 0.25 < float(dropped.float().mean()) < 0.35
    kept = objective.decoder.t == 1
    assert torch.equal(kept, ~mask & ~dropped[:, None])
    error = (objective.decoder.x_t - features)[kept].abs()
    assert error.max() < 1e-4


def test_no_gradient_comes_from_frames_that_are_not_masked():
    objective = make_recorded(drop_prob=0.0)
    features, states, padding_mask, mask = draw()
    velocity = torch.randn_like(features).requires_grad_()
    objective.decoder.forward = lambda *inputs: velocity
    objective(flow_batch(features, states, padding_mask, mask))[0].backward()
    assert ((velocity.grad != 0).any(-1)).equal(mask)


def test_crops_are_stretches_of_the_utterances():
    """All inputs are cut alike, in training alone; every stretch can be drawn."""
    objective = make_recorded(drop_prob=0.0, crop=0.4)
    features, states, padding_mask, mask = draw()
    number = torch.arange(25.0).repeat(3, 1)
    features[..., 0], mask[:, ::2] = number, True
    states = [torch.ones_like(s) * number[..., None] for s in states]
    starts = set()
    for _ in range(100):
        objective(flow_batch(features, states, padding_mask, mask & ~padding_mask))
        seen = objective.decoder
        assert seen.x_t.shape == (3, 10, NUM_MELS)
        frames = seen.z[..., 0]
        torch.testing.assert_close(frames, frames[:, :1] + torch.arange(10.0))
        given = seen.t == 1
        assert (seen.x_t[..., 0] - frames)[given].abs().max() < 1e-3
        assert not seen.padding_mask.any()
        starts |= set(frames[1:, 0].round().tolist())
    assert starts == set(range(16))
    objective.eval()(flow_batch(features, states, padding_mask, mask & ~padding_mask))
    assert objective.decoder.x_t.shape == features.shape
    short = draw_crops(2, 10, torch.arange(10) >= torch.tensor([[3], [10]]), 0.5, "cpu")
    assert short[0].tolist() == [0, 1, 2, 3, 4]
    for crop in (0.0, 1.5):
        with pytest.raises(ValueError, match="crop"):
            make_flow_matching(crop=crop)


def fix_noise(monkeypatch):
    monkeypatch.setattr(torch, "randn_like", lambda x: torch.cos(x))
    monkeypatch.setattr(torch, "rand", lambda *s, **k: torch.full(s, 0.4))


def test_padding_changes_no_loss(monkeypatch):
    fix_noise(monkeypatch)
    encoder = make_encoder()
    objective = sharpen(make_flow_matching(encoder))
    features, states, padding_mask, _ = draw()
    mask = (torch.arange(25) % 3 == 0) & ~padding_mask
    loss, _ = objective(flow_batch(features, states, padding_mask, mask))
    total = 0.0
    for i, n in enumerate(LENGTHS):
        cut = (slice(i, i + 1), slice(0, n))
        own = mask[cut]
        part, _ = objective(
            flow_batch(features[cut], [s[cut] for s in states], None, own)
        )
        total = total + part * own.sum()
    torch.testing.assert_close(loss, total / mask.sum(), atol=1e-4, rtol=1e-4)


def test_fp32_under_autocast():
    objective = make_recorded(drop_prob=0.0, kept_frames="path")
    features, states, padding_mask, mask = draw()
    answer = torch.randn_like(features).bfloat16()
    seen = {}

    def decoder(x_t, t, z, padding_mask):
        seen.update(x_t=x_t, t=t)
        return answer

    objective.decoder.forward = decoder
    with torch.autocast("cpu", torch.bfloat16):
        states = [s.bfloat16() for s in states]
        batch = flow_batch(features.bfloat16(), states, padding_mask, mask)
        loss, _ = objective(batch)
    assert loss.dtype == seen["x_t"].dtype == seen["t"].dtype == torch.float32
    recorder = objective.decoder
    recorder.x_t, recorder.t = seen["x_t"], seen["t"]
    _, dx_t = velocity_of(recorder, features.bfloat16().float())
    expected = (dx_t[mask] - answer[mask].double()).square().mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)


def test_gradients_reach_the_states():
    objective = sharpen(make_flow_matching(drop_prob=0.0))
    features, states, padding_mask, mask = draw()
    states = [s.requires_grad_() for s in states]
    objective(flow_batch(features, states, padding_mask, mask))[0].backward()
    assert all(s.grad.abs().sum() > 0 for s in states)


def test_decoder_has_the_width_of_the_encoder_unless_told():
    assert make_flow_matching().decoder.norm.normalized_shape == (DIM,)
    conf = dict(embed_dim=16, num_layers=2, num_heads=2, ffn_dim=8, position="rotary")
    assert make_flow_matching(decoder=conf).decoder.norm.normalized_shape == (16,)


def test_batch_without_masked_frames_has_no_loss():
    objective = make_flow_matching()
    features, states, padding_mask, mask = draw()
    loss, _ = objective(
        flow_batch(features, states, padding_mask, torch.zeros_like(mask))
    )
    assert loss.item() == 0.0
    loss.backward()
