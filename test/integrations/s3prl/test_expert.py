"""S3PRL's contract: shapes, lengths, padding, gradients, its own wrappers."""

import pytest
import torch
from factories import DIM, NUM_MELS, POSITIONS, TRANSFORMER, make_config, make_speech

from espnet_uniwav.core.checkpoint import load_checkpoint

pytest.importorskip("s3prl")
from espnet_uniwav.integrations.s3prl.expert import UpstreamExpert

HOP = 320
LENGTHS = (1, 2, 319, 320, 321, 639, 640, 641, 1023, 1024, 4799, 16000, 16001)
NUM_STATES = TRANSFORMER["num_layers"] + 1


def make_wavs(*lengths):
    speech, _ = make_speech(list(lengths))
    return [wav[:length] for wav, length in zip(speech, lengths)]


@pytest.fixture
def upstream(checkpoint):
    return UpstreamExpert(checkpoint).eval()


@pytest.fixture
def encode(upstream):
    """wavs -> (num_layers + 1, B, T, D), without gradients."""

    def run(wavs):
        with torch.no_grad():
            return torch.stack(upstream(wavs)["hidden_states"])

    return run


@pytest.mark.parametrize("length", LENGTHS)
def test_frame_count_of_any_length(encode, length):
    frames = len(range(0, length, HOP))
    assert encode(make_wavs(length)).shape == (NUM_STATES, 1, frames, DIM)


def test_frame_count_of_a_batch(encode):
    states = encode(make_wavs(*LENGTHS))
    frames = len(range(0, max(LENGTHS), HOP))
    assert states.shape == (NUM_STATES, len(LENGTHS), frames, DIM)
    assert states.isfinite().all()


def test_no_samples(encode):
    assert encode([torch.zeros(0)]).shape == (NUM_STATES, 1, 0, DIM)
    states = encode([torch.zeros(0), *make_wavs(3000)])
    torch.testing.assert_close(states[:, 1:], encode(make_wavs(3000)))


def test_what_else_is_returned(upstream):
    output = upstream(make_wavs(4000, 2000))
    assert torch.equal(output["last_hidden_state"], output["hidden_states"][-1])
    assert output["features"].shape == (2, 13, NUM_MELS)
    assert upstream.get_downsample_rates("hidden_states") == HOP


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("norm_first", (False, True))
def test_single_wav_equals_batched_wav(make_checkpoint, position, norm_first):
    encoder = {**TRANSFORMER, "position": position, "norm_first": norm_first}
    upstream = UpstreamExpert(make_checkpoint(encoder=encoder)).eval()
    wavs = make_wavs(4000, 321, 6400, 1)
    with torch.no_grad():
        batched = torch.stack(upstream(wavs)["hidden_states"])
        for number, wav in enumerate(wavs):
            single = torch.stack(upstream([wav])["hidden_states"])[:, 0]
            frames = single.shape[1]
            torch.testing.assert_close(
                batched[:, number, :frames], single, atol=2e-5, rtol=1e-4
            )


def test_states_are_those_of_the_model(checkpoint, upstream):
    model = load_checkpoint(checkpoint)
    wavs = make_wavs(4000)
    x, _ = model.features.extract(wavs[0][None], torch.tensor([4000]))
    for ours, expected in zip(upstream(wavs)["hidden_states"], model.hidden_states(x)):
        assert torch.equal(ours, expected)


def test_frozen_use_has_no_gradient(upstream):
    with torch.no_grad():
        states = upstream([wav.requires_grad_() for wav in make_wavs(4000, 2000)])
    assert not any(state.requires_grad for state in states["hidden_states"])


def test_fine_tuning_reaches_every_parameter(upstream):
    """Also under DDP, which demands a gradient of every trainable parameter."""
    states = upstream.train()(make_wavs(4000, 2000))["hidden_states"]
    sum(state.square().sum() for state in states).backward()
    for name, parameter in upstream.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
    frozen = [n for n, p in upstream.named_parameters() if not p.requires_grad]
    assert frozen == ["model.encoder.mask_embedding"]


def test_training_drops_values_but_no_layers(make_checkpoint):
    encoder = {**TRANSFORMER, "dropout": 0.3, "layer_drop": 1.0}
    upstream = UpstreamExpert(make_checkpoint(encoder=encoder))
    wavs = make_wavs(4000)
    first, second = (upstream.train()(wavs)["hidden_states"] for _ in range(2))
    assert len(first) == NUM_STATES
    assert not torch.equal(first[-1], second[-1])
    assert not torch.equal(first[-1], first[-2])
    first, second = (upstream.eval()(wavs)["hidden_states"] for _ in range(2))
    assert torch.equal(first[-1], second[-1])


def test_decoder_stays_behind(upstream):
    assert {name.split(".")[1] for name, _ in upstream.named_parameters()} == {
        "encoder"
    }


def test_random_control(checkpoint, upstream):
    """Same architecture and features, other weights, equal in every process."""
    state = torch.random.get_rng_state()
    controls = [UpstreamExpert(checkpoint, random_seed=s).eval() for s in (0, 0, 1)]
    assert torch.equal(torch.random.get_rng_state(), state)
    trained, one, same, other = (
        torch.cat([p.flatten() for p in u.parameters()]) for u in (upstream, *controls)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert one.shape == trained.shape and not torch.equal(one, trained)
    wavs = make_wavs(4000)
    assert torch.equal(upstream(wavs)["features"], controls[0](wavs)["features"])


def test_hooks_replace_the_output(checkpoint):
    hook = ("self.model.encoder.transformer.layers[1].fc2", lambda i, o: o)
    output = UpstreamExpert(checkpoint, hooks=[hook])(make_wavs(4000))
    assert [state.shape for state in output["hidden_states"]] == [(1, 13, DIM)]


def test_other_sample_rate_is_refused(make_checkpoint):
    features = {**make_config()["features"], "sample_rate": 8000}
    folder = make_checkpoint(features=features)
    with pytest.raises(ValueError) as error:
        UpstreamExpert(folder)
    text = "expected features of 16000 Hz speech, which is what S3PRL loads, found 8000"
    assert str(error.value).startswith(f"{folder}: {text}")


def test_stereo_is_refused(upstream):
    with pytest.raises(ValueError, match="wavs: expected mono samples"):
        upstream([torch.zeros(4000, 2)])


def test_what_callers_give(upstream):
    wav = make_wavs(4000)[0]
    expected = upstream([wav])["last_hidden_state"]
    sixteen = (wav * 2**15).round().to(torch.int16)
    near = upstream([sixteen / 2**15])["last_hidden_state"]
    for own in (wav, wav[None], wav.numpy(), (wav.double().numpy(),)):
        assert torch.equal(upstream(own)["last_hidden_state"], expected)
    assert torch.equal(upstream([sixteen.numpy()])["last_hidden_state"], near)
    for odd, found in ((None, "NoneType"), ([], "none"), (["a.wav"], "str")):
        message = f"wavs: expected .* found {found}"
        with pytest.raises((TypeError, ValueError), match=message):
            upstream(odd)


def test_folder_without_checkpoint(tmp_path):
    for seed in (None, 0):
        with pytest.raises(FileNotFoundError, match="is no UniWav checkpoint"):
            UpstreamExpert(tmp_path, random_seed=seed)
