"""The probability path against its definition and autograd."""

import torch

from espnet_uniwav.core.flow.path import SIGMA_MIN, sample_path


def draw():
    x_0, x_1 = torch.randn(2, 3, 4, 5, dtype=torch.double)
    return x_0, x_1, torch.rand(3, dtype=torch.double)


def test_velocity_is_the_derivative_of_the_point():
    x_0, x_1, t = draw()
    point, derivative = torch.func.jvp(
        lambda t: sample_path(x_0, x_1, t)[0], (t,), (torch.ones_like(t),)
    )
    x_t, dx_t = sample_path(x_0, x_1, t)
    assert torch.equal(x_t, point)
    torch.testing.assert_close(dx_t, derivative)


def test_every_frame_may_have_a_time_of_its_own():
    x_0, x_1, _ = draw()
    t = torch.rand(3, 4, dtype=torch.double)
    x_t, dx_t = sample_path(x_0, x_1, t)
    for j in range(4):
        frame = slice(j, j + 1)
        point, derivative = sample_path(x_0[:, frame], x_1[:, frame], t[:, j])
        assert torch.equal(x_t[:, frame], point)
        assert torch.equal(dx_t[:, frame], derivative)


def test_path_leads_from_noise_to_data():
    x_0, x_1, t = draw()
    start, _ = sample_path(x_0, x_1, torch.zeros_like(t))
    end, _ = sample_path(x_0, x_1, torch.ones_like(t))
    assert torch.equal(start, x_0)
    torch.testing.assert_close(end, x_1 + SIGMA_MIN * x_0, atol=1e-12, rtol=0)
    assert SIGMA_MIN == 1e-5


def test_sigma_min_is_the_deviation_at_the_end():
    x_0, x_1, t = draw()
    end, _ = sample_path(x_0, x_1, torch.ones_like(t), sigma_min=0.25)
    torch.testing.assert_close(end, x_1 + 0.25 * x_0)
