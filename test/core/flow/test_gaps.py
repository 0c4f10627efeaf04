"""Interpolation of given frames over gaps, against numpy.interp."""

import numpy as np
import torch

from espnet_uniwav.core.flow.gaps import interpolate


def test_equals_numpy():
    x = torch.randn(5, 30, 3)
    given = torch.rand(5, 30) > 0.7
    given[0, :4] = given[1, -4:] = False
    given[2] = False
    given[2, 7] = True
    found = interpolate(x, given, reach=30)
    for b in range(5):
        known = given[b].nonzero().squeeze(1)
        for c in range(3):
            expected = np.interp(np.arange(30), known, x[b, known, c])
            np.testing.assert_allclose(found[b, :, c], expected, atol=1e-5)


def test_given_frames_stay_and_hidden_ones_do_not_matter():
    x, given = torch.randn(2, 12, 4), torch.rand(2, 12) > 0.5
    other = torch.where(given[..., None], x, 99.0)
    assert torch.equal(interpolate(x, given)[given], x[given])
    assert torch.equal(interpolate(x, given), interpolate(other, given))


def test_without_any_given_frame_there_is_no_context():
    x = torch.randn(2, 6, 4)
    assert (interpolate(x, torch.zeros(2, 6, dtype=torch.bool)) == 0).all()


def test_the_guess_fades_with_the_distance_to_given_frames():
    given = torch.zeros(1, 40, dtype=torch.bool)
    given[0, 5] = True
    found = interpolate(torch.ones(1, 40, 2), given, reach=10)[0, :, 0]
    assert torch.equal(found[:16], torch.ones(16))
    assert torch.allclose(found[16:25], torch.arange(9, 0, -1) / 10)
    assert torch.equal(found[25:], torch.zeros(15))
