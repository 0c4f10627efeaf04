"""Our SoX effects: closed forms, a sample-by-sample reference, libsox itself."""

import math
import warnings

import pytest
import soundfile
import torch
import torchaudio
from sox_case import cut_silence

from espnet_uniwav.integrations.s3prl.sox_effects import (
    apply_effects_file,
    apply_effects_tensor,
    first_run,
    moving_rms,
)

SUPERB = [["channels", "1"], ["rate", "16000"], ["gain", "-3.0"]]
SILENCE = ["silence", "1", "0.1", "0.1%", "-1", "0.1", "0.1%"]


def make_gaps(sample_rate=400, seconds=6, seed=0):
    """Noise between gaps of all lengths, some of them faint, (1, S)."""
    generator = torch.Generator().manual_seed(seed)
    x = 0.3 * torch.randn(1, sample_rate * seconds, generator=generator)
    position = 0
    while position < x.shape[1]:
        gap, step = torch.randint(1, sample_rate // 2, (2,), generator=generator)
        x[:, position : position + gap] *= 10 ** -torch.randint(2, 9, ()).item()
        position += int(gap + step)
    return x.clamp(-1, 1)


def test_gain_channels_and_norm():
    x = torch.tensor([[0.1, -0.4], [0.3, 0.0]])
    y, rate = apply_effects_tensor(x, 16000, SUPERB)
    factor = 10 ** (-3 / 20)
    torch.testing.assert_close(y, torch.tensor([[0.2, -0.2]]) * factor)
    assert rate == 16000
    y, _ = apply_effects_tensor(x, 16000, [["norm"]])
    torch.testing.assert_close(y, x / 0.4)
    y, _ = apply_effects_tensor(x, 16000, [["gain", "12"]])
    assert y.abs().max() == 1
    assert apply_effects_tensor(x[:, :0], 16000, [["norm"]])[0].shape == (2, 0)


def test_rate_keeps_a_tone():
    time = torch.arange(8000) / 8000
    tone = torch.sin(2 * math.pi * 300 * time)[None]
    y, rate = apply_effects_tensor(tone, 8000, [["rate", "16000"]])
    assert rate == 16000 and y.shape == (1, 16000)
    expected = torch.sin(2 * math.pi * 300 * torch.arange(16000) / 16000)
    assert (y[0] - expected)[500:-500].abs().max() < 0.01


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("seconds, percent", [("0.1", "1%"), ("0.25", "0.01%")])
def test_silence_equals_the_state_machine(seed, seconds, percent):
    x, rate = make_gaps(seed=seed), 400
    effect = ["silence", "1", seconds, percent, "-1", seconds, percent]
    y, _ = apply_effects_tensor(x, rate, [effect])
    duration, level = round(float(seconds) * rate), float(percent[:-1]) / 100
    kept = cut_silence(x[0].tolist(), rate, duration, duration, level, level)
    assert 0 < len(kept) < x.shape[1]
    assert y[0].tolist() == kept


@pytest.mark.parametrize("length", (0, 1, 7, 8, 39, 40, 41))
@pytest.mark.parametrize("value", (0.0, 0.5))
def test_silence_of_short_constant_signals(length, value):
    x = torch.full((1, length), value)
    y, _ = apply_effects_tensor(x, 400, [SILENCE])
    assert y[0].tolist() == cut_silence(x[0].tolist(), 400, 40, 40, 1e-3, 1e-3)


def test_moving_rms():
    energy = torch.tensor([4.0, 0, 0, 9, 0]).double()
    expected = torch.tensor([2.0, 2, 2, 3, 3]).double() / math.sqrt(3)
    torch.testing.assert_close(moving_rms(energy, 3), expected)


def test_first_run():
    flags = torch.tensor([1, 0, 1, 1, 0, 1, 1, 1]).bool()
    assert [first_run(flags, n) for n in (1, 2, 3, 4, 9)] == [0, 2, 5, None, None]


def test_file(tmp_path):
    x = 0.1 * torch.randn(1600, 2)
    soundfile.write(tmp_path / "a.wav", x.numpy(), 16000, subtype="FLOAT")
    y, rate = apply_effects_file(str(tmp_path / "a.wav"), SUPERB)
    assert rate == 16000
    torch.testing.assert_close(y, x.mean(1)[None] * 10 ** (-3 / 20))


@pytest.mark.parametrize(
    "effect",
    (["vad", "-T", "0.25"], ["channels", "2"], ["silence", "1", "0.1", "1%"]),
)
def test_other_effects_are_refused(effect):
    with pytest.raises(NotImplementedError, match=f"SoX effect '{' '.join(effect)}"):
        apply_effects_tensor(torch.zeros(1, 10), 16000, [effect])


@pytest.mark.parametrize("percent", ("0.1%", "1%", "5%"))
def test_equals_libsox(percent):
    """Where torchaudio < 2.9 finds libsox."""
    theirs = getattr(torchaudio, "sox_effects", None)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs.effect_names()
            x = make_gaps(16000)
            effects = [*SUPERB, ["silence", "1", "0.1", percent, "-1", "0.1", percent]]
            expected, _ = theirs.apply_effects_tensor(x, 16000, effects)
    except (AttributeError, OSError, RuntimeError):
        pytest.skip("torchaudio has no libsox here")
    y, _ = apply_effects_tensor(x, 16000, effects)
    assert y.shape[1] < x.shape[1]
    torch.testing.assert_close(y, expected, atol=1e-6, rtol=0)
