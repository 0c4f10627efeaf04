"""Preconditioning: Gaussian data in closed form, fp32, the first batch, processes."""

import pytest
import torch
import torch.distributed as dist
from factories import DIM, NUM_MELS, flow_batch, make_flow_matching, make_frames

from espnet_uniwav.core.flow.ode import sample_path, solve
from espnet_uniwav.core.flow.precondition import SHRINKAGE, Precondition

TIMES = (0.0, 0.3, 0.8, 1.0)


def make_precondition(frames=None):
    frames = make_frames() if frames is None else frames
    precondition = Precondition(frames.shape[1])
    precondition.fit(frames)
    return precondition


def moments(frames):
    """Mean (F,) and covariance (F, F) in double, by their definition."""
    frames = frames.double()
    mean = frames.mean(0)
    centred = frames - mean
    covariance = centred.T @ centred / (len(frames) - 1)
    return mean, covariance + SHRINKAGE * torch.eye(len(mean))


def at(time, x):
    """(B, T) times for (B, T, F) points."""
    return torch.full(x.shape[:2], time)


def draw_path(time, number=50000):
    """Gaussian data with the moments of the frames, on its way; all (1, N, F)."""
    mean, covariance = moments(make_frames())
    x_0, noise = torch.randn(2, 1, number, NUM_MELS)
    x_1 = noise @ torch.linalg.cholesky(covariance).float().T + mean.float()
    return x_0, x_1, *sample_path(x_0, x_1, at(time, x_0))


def test_axes_and_deviations_are_those_of_the_data():
    precondition = make_precondition()
    mean, covariance = moments(make_frames())
    axes, variances = precondition.axes.double(), precondition.deviations.double() ** 2
    torch.testing.assert_close(precondition.mean, mean.float())
    torch.testing.assert_close(
        axes @ variances.diag() @ axes.T, covariance, atol=1e-5, rtol=1e-5
    )
    torch.testing.assert_close(
        axes.T @ axes, torch.eye(NUM_MELS).double(), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("time", TIMES)
def test_without_output_the_velocity_is_the_conditional_expectation(time):
    """E[dx_t | x_t] = m + Cov(dx_t, x_t) Cov(x_t)^-1 (x_t - t m)."""
    mean, covariance = moments(make_frames())
    eye = torch.eye(NUM_MELS).double()
    x_t = 2 * torch.randn(2, 5, NUM_MELS)
    cross = time * covariance - (1 - time) * eye
    own = (1 - time) ** 2 * eye + time**2 * covariance
    centred = (x_t.double() - time * mean).flatten(0, 1).T
    expected = mean + (cross @ torch.linalg.solve(own, centred)).T.view_as(x_t)
    found = make_precondition().velocity(torch.zeros_like(x_t), x_t, at(time, x_t))
    torch.testing.assert_close(found, expected.float(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("time", TIMES)
def test_without_output_no_linear_guess_is_better(time):
    """Least squares of sampled velocities, which shares no formula with the code."""
    _, _, x_t, dx_t = (v[0] for v in draw_path(time))
    inputs = torch.cat((x_t, torch.ones(len(x_t), 1)), 1)
    regression = inputs @ torch.linalg.lstsq(inputs, dx_t).solution
    found = make_precondition().velocity(
        torch.zeros(1, *x_t.shape), x_t[None], torch.full((1, len(x_t)), time)
    )[0]
    assert (found - regression).square().mean() < 1e-3 * dx_t.square().mean()


@pytest.mark.parametrize("time", TIMES)
def test_input_has_unit_variance_on_every_axis(time):
    _, _, x_t, _ = draw_path(time)
    scaled = make_precondition().scale_input(x_t, at(time, x_t))[0]
    torch.testing.assert_close(scaled.T.cov(), torch.eye(NUM_MELS), atol=0.03, rtol=0)
    torch.testing.assert_close(scaled.mean(0), torch.zeros(NUM_MELS), atol=0.03, rtol=0)


def test_unwhiten_undoes_the_scaling_of_data():
    precondition = make_precondition()
    _, x_1, _, _ = draw_path(0.5)
    whitened = precondition.scale_input(x_1, at(1.0, x_1))
    torch.testing.assert_close(
        precondition.unwhiten(whitened), x_1, atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("time", TIMES)
def test_the_right_output_gives_the_velocity_and_has_unit_variance(time):
    """Per axis, with x_1 = m + s u: output = ((1 - t) u - t s x_0) / sqrt(r)."""
    precondition = make_precondition()
    x_0, x_1, x_t, dx_t = draw_path(time)
    s = precondition.deviations
    u = (x_1 - precondition.mean) @ precondition.axes / s
    r = (1 - time) ** 2 + (time * s) ** 2
    output = ((1 - time) * u - time * s * (x_0 @ precondition.axes)) / r.sqrt()
    found = precondition.velocity(output, x_t, at(time, x_t))
    torch.testing.assert_close(found, dx_t, atol=2e-3, rtol=1e-3)
    torch.testing.assert_close(
        output[0].var(0), torch.ones(NUM_MELS), atol=0.04, rtol=0
    )


def guess(precondition):
    def velocity(x, t):
        return precondition.velocity(torch.zeros_like(x), x, t.expand(x.shape[:2]))

    return velocity


def test_one_euler_step_without_output_gives_the_mean():
    precondition = make_precondition()
    x_0 = torch.randn(2, 7, NUM_MELS)
    found = solve(guess(precondition), x_0, 1, "euler")
    torch.testing.assert_close(
        found, precondition.mean.expand_as(x_0), atol=1e-5, rtol=1e-5
    )


def test_many_steps_without_output_stretch_the_noise_along_the_axes():
    precondition = make_precondition()
    precondition.deviations.clamp_(min=0.3)
    x_0 = torch.randn(2, 7, NUM_MELS)
    axes, s = precondition.axes, precondition.deviations
    expected = precondition.mean + (x_0 @ axes * s) @ axes.T
    found = solve(guess(precondition), x_0, 200, "heun")
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=2e-3)


def test_frames_of_one_batch_have_their_own_times():
    precondition = make_precondition()
    x_t, output = torch.randn(2, 2, 5, NUM_MELS)
    t = torch.rand(2, 5)
    together = precondition.scale_input(x_t, t), precondition.velocity(output, x_t, t)
    for i in range(2):
        for j in range(5):
            one = (slice(i, i + 1), slice(j, j + 1))
            alone = (
                precondition.scale_input(x_t[one], t[one]),
                precondition.velocity(output[one], x_t[one], t[one]),
            )
            for a, b in zip(together, alone):
                torch.testing.assert_close(a[one], b, atol=1e-5, rtol=1e-5)


def test_before_fit_the_data_counts_as_white():
    fresh = Precondition(3)
    x_t, output = torch.randn(2, 1, 4, 3)
    t = torch.full((1, 4), 0.25)
    r = 0.75**2 + 0.25**2
    torch.testing.assert_close(fresh.scale_input(x_t, t), x_t / r**0.5)
    expected = (0.25 - 0.75) / r * x_t + output / r**0.5
    torch.testing.assert_close(fresh.velocity(output, x_t, t), expected)
    assert int(fresh.num_frames) == 0


def test_every_frame_counts():
    frames = make_frames(30)
    whole = make_precondition(frames)
    assert int(whole.num_frames) == 30
    for i in range(30):
        moved = frames.clone()
        moved[i] += 1.0
        other = make_precondition(moved)
        assert not torch.allclose(other.mean, whole.mean)
        assert not torch.allclose(other.deviations, whole.deviations)


def test_constant_channels_stay_finite():
    frames = make_frames()
    frames[:, 4] = 2.0
    precondition = make_precondition(frames)
    x = frames[None, :9]
    t = at(1.0, x)
    assert precondition.scale_input(x, t).isfinite().all()
    assert precondition.velocity(torch.ones_like(x), x, t).isfinite().all()
    assert float(precondition.deviations.min()) == pytest.approx(
        SHRINKAGE**0.5, rel=1e-3
    )


def test_fp32_under_autocast():
    frames = make_frames()
    expected = make_precondition(frames)
    x_t, output, t = *torch.randn(2, 2, 5, NUM_MELS), torch.rand(2, 5)
    with torch.autocast("cpu", torch.bfloat16):
        found = make_precondition(frames)
        scaled = found.scale_input(x_t.bfloat16(), t)
        velocity = found.velocity(output.bfloat16(), x_t, t)
    for name, value in expected.state_dict().items():
        assert torch.equal(found.state_dict()[name], value), name
    assert torch.equal(scaled, expected.scale_input(x_t.bfloat16().float(), t))
    assert torch.equal(velocity, expected.velocity(output.bfloat16().float(), x_t, t))
    assert scaled.dtype == velocity.dtype == torch.float32


def test_state_dict_round_trip():
    saved, loaded = make_precondition(), Precondition(NUM_MELS)
    loaded.load_state_dict(saved.state_dict())
    assert set(saved.state_dict()) == {"mean", "axes", "deviations", "num_frames"}
    x_t, output, t = *torch.randn(2, 2, 5, NUM_MELS), torch.rand(2, 5)
    assert torch.equal(loaded.scale_input(x_t, t), saved.scale_input(x_t, t))
    assert torch.equal(loaded.velocity(output, x_t, t), saved.velocity(output, x_t, t))
    assert int(loaded.num_frames) == 400 and not list(saved.parameters())


def run(objective, seed=0, dtype=torch.float32):
    """One pass over a padded batch; returns its valid frames."""
    frames = make_frames(60, seed=seed).view(3, 20, NUM_MELS).to(dtype)
    padding_mask = torch.arange(20) >= torch.tensor([[20], [8], [13]])
    frames[padding_mask] = 100.0
    states = [torch.randn(3, 20, DIM) for _ in range(4)]
    mask = (torch.arange(20) % 3 == 0) & ~padding_mask
    objective(flow_batch(frames, states, padding_mask, mask))
    return frames[~padding_mask].float()


def assert_fitted(objective, frames):
    expected = make_precondition(frames).state_dict()
    for name, value in objective.decoder.precondition.state_dict().items():
        assert torch.equal(value, expected[name]), name


@pytest.mark.parametrize("dtype", (torch.float32, torch.bfloat16))
def test_the_first_batch_of_training_fits_without_its_padding(dtype):
    objective = make_flow_matching()
    run(objective.eval(), seed=1)
    assert int(objective.decoder.precondition.num_frames) == 0
    first = run(objective.train(), dtype=dtype)
    assert len(first) == 41
    assert_fitted(objective, first)
    run(objective, seed=2)
    assert_fitted(objective, first)


def test_the_first_batch_may_have_no_padding():
    objective = make_flow_matching()
    frames = make_frames(40)
    mask = torch.zeros(2, 20, dtype=torch.bool)
    states = [torch.randn(2, 20, DIM) for _ in range(4)]
    objective(flow_batch(frames.view(2, 20, -1), states, None, mask))
    assert_fitted(objective, frames)


def test_resumed_model_is_not_fitted_again():
    objective, resumed = make_flow_matching(), make_flow_matching()
    first = run(objective)
    resumed.load_state_dict(objective.state_dict())
    run(resumed, seed=2)
    assert_fitted(resumed, first)


def work(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2
    )
    objective = make_flow_matching()
    frames = run(objective, seed=rank)
    state = objective.decoder.precondition.state_dict()
    torch.save({**state, "frames": frames}, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_processes_fit_the_joined_batch(tmp_path):
    torch.multiprocessing.spawn(work, args=(str(tmp_path),), nprocs=2)
    first, second = (
        torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)
    )
    frames = torch.cat((first.pop("frames"), second["frames"]))
    assert int(first["num_frames"]) == len(frames) == 82
    torch.testing.assert_close(first["mean"], frames.mean(0))
    variances = torch.linalg.eigvalsh(torch.cov(frames.T))
    torch.testing.assert_close(
        first["deviations"].square(), variances, atol=2e-3, rtol=1e-3
    )
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
