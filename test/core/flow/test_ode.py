"""The path against its definition and autograd; solvers on an ODE that is known."""

from __future__ import annotations

import math

import pytest
import torch

from espnet_uniwav.core.flow.ode import (
    METHODS,
    SIGMA_MIN,
    guide,
    num_evaluations,
    sample_path,
    solve,
)

ORDERS = {"euler": 1, "midpoint": 2, "heun": 2}


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


def velocity(x, t):
    """dx/dt = x cos(2 t), so x(t) = x(0) exp(sin(2 t) / 2)."""
    return x * torch.cos(2 * t)


X_0 = torch.tensor([[0.5], [-2.0]], dtype=torch.double)
X_1 = X_0 * math.exp(math.sin(2.0) / 2)


def error(method, num_steps):
    return float((solve(velocity, X_0, num_steps, method) - X_1).abs().max())


@pytest.mark.parametrize("method", sorted(METHODS))
def test_order_of_convergence(method):
    order = math.log2(error(method, 64) / error(method, 128))
    assert order == pytest.approx(ORDERS[method], abs=0.1)
    assert error(method, 128) < 2e-2 / 128 ** (ORDERS[method] - 1)


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("num_steps", (1, 3, 8))
def test_evaluations_are_counted(method, num_steps):
    times = []

    def count(x, t):
        times.append(float(t))
        return velocity(x, t)

    solve(count, X_0, num_steps, method)
    assert len(times) == num_evaluations(num_steps, method)
    assert len(times) == num_steps * (1 if method == "euler" else 2)
    assert min(times) == 0 and max(times) <= 1


@pytest.mark.parametrize("method", sorted(METHODS))
def test_constant_velocity_is_exact(method):
    x_0, slope = torch.randn(2, 3, 4, dtype=torch.double)
    found = solve(lambda x, t: slope, x_0, 5, method)
    torch.testing.assert_close(found, x_0 + slope)


def test_one_step_by_hand():
    start, end = 1.0, math.cos(2.0)
    middle = math.cos(1.0)
    expected = {
        "euler": 1 + start,
        "midpoint": 1 + (1 + 0.5 * start) * middle,
        "heun": 1 + 0.5 * (start + (1 + start) * end),
    }
    for method, value in expected.items():
        found = solve(velocity, torch.ones(1, 1, dtype=torch.double), 1, method)
        assert float(found) == pytest.approx(value)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_two_halves_are_the_whole(method):
    whole = solve(velocity, X_0, 6, method)
    half = solve(velocity, X_0, 3, method, end=0.5)
    torch.testing.assert_close(solve(velocity, half, 3, method, start=0.5), whole)


def test_no_gradient_is_kept():
    assert not solve(velocity, X_0.clone().requires_grad_(), 2).requires_grad


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="unknown method 'rk4': choose from .*euler"):
        solve(velocity, X_0, 2, "rk4")
    with pytest.raises(ValueError, match="num_steps must be at least 1, found 0"):
        solve(velocity, X_0, 0)


@pytest.mark.parametrize("scale", (-1.0, 0.0, 0.7, 3.0))
def test_guidance(scale):
    conditional, empty = torch.randn(2, 3, 4)
    expected = (1 + scale) * conditional - scale * empty
    torch.testing.assert_close(
        guide(conditional, empty, scale), expected, atol=1e-5, rtol=1e-5
    )
