"""Log-mel features: values, frames, padding, and back to a waveform."""

import pytest
import torch
import torchaudio
from factories import make_features, make_speech

LENGTHS = (1, 100, 159, 160, 161, 319, 320, 321, 640, 959, 960, 961, 16000, 12345)


@pytest.mark.parametrize("frame_rate", (50, 100))
def test_frames_are_samples_over_hop_rounded_up(frame_rate):
    features = make_features(frame_rate=frame_rate)
    hop = 16000 // frame_rate
    assert features.spec.hop_length == hop
    assert features.spec.frame_rate == frame_rate
    for samples in LENGTHS:
        x, lengths = features.extract(*make_speech([samples]))
        frames = (samples + hop - 1) // hop
        assert x.shape == (1, frames, features.spec.dim)
        assert lengths.tolist() == [frames] == [features.spec.num_frames(samples)]


@pytest.mark.parametrize("frame_rate", (50, 100))
def test_values_are_those_of_torchaudio(frame_rate):
    features = make_features(frame_rate=frame_rate, num_mels=40, mean=0.0, std=1.0)
    expected = torchaudio.transforms.MelSpectrogram(
        n_fft=1024,
        hop_length=16000 // frame_rate,
        n_mels=40,
        power=1.0,
        pad_mode="constant",
        norm="slaney",
        mel_scale="slaney",
    )
    speech, lengths = make_speech([8001])
    x, lengths = features.extract(speech, lengths)
    expected = expected(speech).clamp(min=1e-5).log().transpose(1, 2)
    torch.testing.assert_close(x, expected[:, : x.shape[1]], atol=1e-4, rtol=1e-4)


def test_normalisation_is_that_of_the_spec():
    plain = make_features(mean=0.0, std=1.0)
    mean = [-i / 3 for i in range(plain.spec.dim)]
    std = [1 + i / 7 for i in range(plain.spec.dim)]
    normalised = make_features(mean=mean, std=std)
    raw, lengths = plain.extract(*make_speech([5000]))
    x, _ = normalised.extract(*make_speech([5000]))
    torch.testing.assert_close(x, (raw - torch.tensor(mean)) / torch.tensor(std))


@pytest.mark.parametrize("frame_rate", (50, 100))
def test_padding_changes_no_frame(frame_rate):
    features = make_features(frame_rate=frame_rate)
    speech, lengths = make_speech([2500, 9000, 100])
    batch, frames = features.extract(speech + 0.1, lengths)
    for i, length in enumerate(lengths):
        alone, _ = features.extract(speech[i : i + 1, :length] + 0.1, lengths[i, None])
        torch.testing.assert_close(batch[i, : frames[i]], alone[0], atol=1e-4, rtol=0)
        assert (batch[i, frames[i] :] == 0).all()


def test_padding_that_is_not_finite_changes_nothing():
    features = make_features()
    speech, lengths = make_speech([2500, 4000])
    expected, _ = features.extract(speech, lengths)
    speech[0, 2500:] = float("nan")
    assert torch.equal(features.extract(speech, lengths)[0], expected)


def test_autocast_changes_nothing(speech):
    features = make_features()
    expected, _ = features.extract(*speech)
    with torch.autocast("cpu", torch.bfloat16):
        x, _ = features.extract(*speech)
    assert x.dtype == torch.float32
    assert torch.equal(x, expected)


def test_nothing_is_trained_or_saved():
    features = make_features()
    assert not list(features.parameters())
    assert not features.state_dict()
    x, _ = features.extract(torch.randn(1, 999, requires_grad=True), torch.tensor([9]))
    assert not x.requires_grad


@pytest.mark.parametrize("frame_rate", (50, 100))
def test_round_trip_through_a_waveform(frame_rate):
    features = make_features(
        frame_rate=frame_rate, num_mels=80, griffin_lim_iterations=32
    )
    speech, samples = make_speech([16000, 9000])
    x, lengths = features.extract(speech, samples)
    inverted, inverted_lengths = features.invert(x, lengths)
    hop = features.spec.hop_length
    assert inverted.shape == (2, x.shape[1] * hop)
    assert inverted_lengths.tolist() == (lengths * hop).tolist()
    assert (inverted[1, inverted_lengths[1] :] == 0).all()
    again, _ = features.extract(inverted, inverted_lengths)
    valid = torch.arange(x.shape[1]) < lengths[:, None]
    distance = (again - x)[valid].abs().mean()
    shuffled = (x[valid] - x[valid][torch.randperm(int(valid.sum()))]).abs().mean()
    assert distance < 0.12
    assert distance < shuffled / 2


def test_inversion_is_repeatable(speech):
    features = make_features()
    x, lengths = features.extract(*speech)
    first, _ = features.invert(x, lengths)
    torch.randn(3)
    assert torch.equal(first, features.invert(x, lengths)[0])


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="frame_rate 33 Hz must divide"):
        make_features(frame_rate=33)
    with pytest.raises(ValueError, match="mean must hold 1 or 12 values, found 3"):
        make_features(mean=[0.0, 1.0, 2.0])
    with pytest.raises(ValueError, match=r"mono .* found shape \(1, 2, 800\)"):
        make_features().extract(torch.zeros(1, 2, 800), torch.tensor([800]))
