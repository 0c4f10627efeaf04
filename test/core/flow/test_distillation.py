"""Distillation: where the teacher lands, and what the student is told."""

import copy

import pytest
import torch
from factories import DIM, NUM_MELS, make_decoder

from espnet_uniwav.core.flow.distillation import distillation_loss
from espnet_uniwav.core.flow.sampling import Sampling

LENGTHS = (25, 14)


def draw():
    """Features, masked frames, condition and padding of two utterances."""
    x, z = torch.randn(2, 25, NUM_MELS), torch.randn(2, 25, DIM)
    padding_mask = torch.arange(25) >= torch.tensor(LENGTHS)[:, None]
    mask = (torch.arange(25) > 5) & ~padding_mask
    return x, mask, z, padding_mask


def sampling(num_steps, guidance_scale=0.5):
    return Sampling(num_steps, "euler", guidance_scale, temperature=0.4)


class Growth:
    """dx_t = rate (1 + 2 t) x_t with a condition, and 0 without one."""

    def __init__(self, rate):
        self.rate, self.seen = rate, []

    def __call__(self, x_t, t, z, padding_mask):
        self.seen.append((x_t, t))
        told = z.abs().sum((1, 2), keepdim=True) > 0
        return told * self.rate * (1 + 2 * t[..., None]) * x_t


class Jump:
    """Velocities of a student: ``slopes[t] x_t``."""

    def __init__(self, slopes):
        self.slopes, self.seen = slopes, []

    def __call__(self, x_t, t, z, padding_mask):
        time = float(t[0, 10])
        self.seen.append((x_t, t))
        return self.slopes[time] * x_t


def growth(rate, steps, start, end):
    """Factor of x_t over some Euler steps of ``Growth``."""
    factor, dt = 1.0, (end - start) / steps
    for step in range(steps):
        factor *= 1 + dt * rate * (1 + 2 * (start + step * dt))
    return factor


def test_the_student_is_to_land_where_guided_steps_do():
    rate, guidance = 0.6, 0.5
    guided = (1 + guidance) * rate
    first, second = (growth(guided, 4, *span) for span in ((0, 0.5), (0.5, 1)))
    slopes = {0.0: 2 * (first - 1), 0.5: 2 * (second - 1)}
    student, (x, mask, z, padding) = Jump(slopes), draw()
    teacher, settings = Growth(rate), sampling(8, guidance)
    loss = distillation_loss(student, teacher, x, mask, z, padding, settings, 2)
    assert loss.item() < 1e-10
    assert len(student.seen) == 2 and len(teacher.seen) == 16
    x_0, x_half = (x_t[mask] for x_t, _ in student.seen)
    assert x_0.std().item() == pytest.approx(0.4, abs=0.05)
    torch.testing.assert_close(x_half, first * x_0)
    for x_t, t in student.seen:
        assert torch.equal(x_t[~mask], x[~mask]) and (t[~mask] == 1).all()
    for wrong in (0.0, 0.5):
        student = Jump({**slopes, wrong: slopes[wrong] + 1})
        loss = distillation_loss(student, teacher, x, mask, z, padding, settings, 2)
        x_t = student.seen[int(2 * wrong)][0]
        expected = x_t[mask].square().mean() / 2
        torch.testing.assert_close(loss, expected)


def test_only_the_student_learns_and_only_from_generated_frames():
    teacher, (x, mask, z, padding) = make_decoder(), draw()
    student = copy.deepcopy(teacher)
    velocities = []
    student.register_forward_hook(
        lambda m, i, v: velocities.append(v) or v.retain_grad()
    )
    loss = distillation_loss(student, teacher, x, mask, z, padding, sampling(4), 2)
    loss.backward()
    assert loss.item() > 0 and len(velocities) == 2
    for velocity in velocities:
        assert torch.equal((velocity.grad != 0).any(-1), mask)
    assert all(p.grad is None for p in teacher.parameters())


@pytest.mark.parametrize("kept_frames", ("data", "path"))
def test_padding_changes_no_loss(monkeypatch, kept_frames):
    monkeypatch.setattr(torch, "randn_like", torch.cos)
    teacher, (x, mask, z, padding) = make_decoder(), draw()
    student = make_decoder(num_layers=2)
    settings = dict(sampling=sampling(4), num_steps=2, kept_frames=kept_frames)
    loss = distillation_loss(student, teacher, x, mask, z, padding, **settings)
    total = 0.0
    for i, n in enumerate(LENGTHS):
        cut = (slice(i, i + 1), slice(0, n))
        parts = x[cut], mask[cut], z[cut], None
        total += distillation_loss(student, teacher, *parts, **settings) * mask[i].sum()
    torch.testing.assert_close(loss, total / mask.sum(), atol=1e-4, rtol=1e-4)


def test_fp32_under_autocast():
    teacher, (x, mask, z, padding) = make_decoder(), draw()
    student = make_decoder(num_layers=2)
    seen, dtypes = [], set()
    student.register_forward_pre_hook(lambda m, i: seen.append(i[0]))
    student.layers[0].fc1.register_forward_hook(lambda m, i, o: dtypes.add(o.dtype))
    losses = []
    for enabled in (False, True):
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            args = (x, mask, z, padding, sampling(4), 2)
            losses.append(distillation_loss(student, teacher, *args))
    assert dtypes == {torch.float32, torch.bfloat16}
    assert losses[1].dtype == torch.float32 and losses[0] != losses[1]
    for plain, mixed in zip(seen[:2], seen[2:]):
        assert torch.equal(plain, mixed)


def test_batch_without_generated_frames_has_no_loss():
    decoder, (x, mask, z, padding) = make_decoder(), draw()
    nothing = torch.zeros_like(mask)
    loss = distillation_loss(decoder, decoder, x, nothing, z, padding, sampling(2), 2)
    loss.backward()
    assert loss.item() == 0.0
