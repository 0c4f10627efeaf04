import pytest
import torch

from espnet_uniwav.apps.infill.filling import gap_mask
from espnet_uniwav.apps.vocoder.splicing import context_windows, runs, splice


def test_gap_mask_rounds_outwards():
    mask = gap_mask([(0.10, 0.20), (0.30, 0.301)], 50, 50, "a.wav")
    assert runs(mask) == [(5, 10), (15, 16)]


@pytest.mark.parametrize(
    "gap, word",
    [((0.5, 0.5), "before"), ((0.5, 9.0), "outside"), ((-1.0, 0.5), "outside")],
)
def test_gap_mask_refuses(gap, word):
    with pytest.raises(ValueError, match=f"a.wav.*{word}"):
        gap_mask([gap], 50, 50, "a.wav")
    with pytest.raises(ValueError, match="all 50 frames"):
        gap_mask([(0.0, 1.0)], 50, 50, "a.wav")


def test_context_windows_join():
    mask = torch.zeros(100, dtype=torch.bool)
    mask[10:12] = mask[20:22] = mask[80:82] = True
    assert context_windows(mask, 5) == [(5, 27), (75, 87)]
    assert context_windows(mask, 200) == [(0, 100)]


def test_splice_keeps_samples_outside_the_fade():
    speech, generated = torch.ones(100), torch.full((100,), -1.0)
    out = splice(speech, generated, [(40, 60), (95, 100)], fade=10)
    assert torch.equal(out[:30], speech[:30]) and torch.equal(out[70:85], speech[70:85])
    assert torch.equal(out[40:60], generated[40:60])
    assert out[30] > 0.9 > out[39] and out[99] == -1
