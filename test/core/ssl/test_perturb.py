"""The student's other view of an utterance."""

import pytest
import torch

from espnet_uniwav.core.ssl.perturb import Perturb, warp_bands


def test_identity_by_default_and_in_evaluation():
    x = torch.randn(2, 5, 8)
    assert Perturb().train()(x) is x
    assert Perturb(0.2, 0.3).eval()(x) is x


def test_a_straight_line_over_the_bands_is_stretched_exactly():
    bands = torch.arange(10.0)
    x = (3 + 2 * bands).expand(2, 4, 10)
    factor = torch.tensor([[0.85], [1.0]])
    expected = torch.stack([3 + 2 * 0.85 * bands, 3 + 2 * bands])
    found = warp_bands(x, factor)
    torch.testing.assert_close(found, expected[:, None].expand_as(found))
    wide = warp_bands(x, torch.tensor([[1.5], [1.5]]))
    torch.testing.assert_close(wide[0, 0], (3 + 3 * bands).clamp(max=21.0))


def test_one_voice_per_utterance_and_no_frame_knows_another():
    perturb = Perturb(0.3, 0.5).train()
    x = torch.randn(2, 1, 16).expand(2, 6, 16)
    views = perturb(x)
    assert torch.equal(views, views[:, :1].expand_as(views))
    assert not torch.allclose(views[0] - x[0], views[1] - x[1])


def test_the_filter_is_smooth_and_of_the_wanted_size():
    torch.manual_seed(0)
    added = Perturb(0.0, 0.4).train()(torch.zeros(4000, 1, 32))[:, 0]
    spectrum = torch.fft.rfft(torch.cat([added, added.flip(1)], 1), dim=1).abs()
    assert spectrum[:, 5:].max() < 1e-3 * spectrum.max()
    level = added.mean(1).std()
    assert float(level) == pytest.approx(0.4, rel=0.05)


@pytest.mark.parametrize("conf", [dict(warp=1.0), dict(warp=-0.1), dict(filter_std=-1)])
def test_refuses_what_has_no_meaning(conf):
    with pytest.raises(ValueError, match="expected 0 <= warp < 1"):
        Perturb(**conf)
