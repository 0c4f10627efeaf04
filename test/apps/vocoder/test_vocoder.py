"""A vocoder instead of Griffin-Lim, and its training by ESPnet's GAN codec task."""

import shutil

import numpy as np
import pytest
import torch
import yaml
from factories import (
    ROOT,
    make_config,
    make_features,
    make_speech,
    save_model,
    train_steps,
    write_data,
)

from espnet_uniwav import plugin
from espnet_uniwav.apps.vocoder import FlowVocoder, Vocoder, use_vocoder
from espnet_uniwav.apps.vocoder.harmonics import pulse_train
from espnet_uniwav.apps.vocoder.pitch import measure_pitch
from espnet_uniwav.core.checkpoint import save_checkpoint
from espnet_uniwav.io.config import resolve

GENERATOR = dict(dim=16, ffn_dim=32, num_layers=2)
FINE = dict(**GENERATOR, upsample=4, fine_dim=8, fine_ffn_dim=8, fine_layers=1)
HARMONIC = dict(**FINE, fft_size=320, harmonics=True)
DECODER = dict(num_layers=2, embed_dim=16, num_heads=2, ffn_dim=16, position="rotary")
LATENTS = dict(
    name="log_mel", num_mels=8, fft_size=512, griffin_lim_iterations=2
)  # stand for a codec
FLOW = dict(**DECODER, latents=LATENTS, sampling=dict(num_steps=2))
CONF = dict(
    codec="uniwav_vocoder",
    codec_conf=dict(
        features=make_config()["features"],
        generator=GENERATOR,
        fft_sizes=[256],
        channels=2,
    ),
)


def make_vocoder(**overrides):
    torch.manual_seed(0)
    return Vocoder(make_features(**overrides), **GENERATOR).eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocoder")
    config = {"features": make_config()["features"], "vocoder": GENERATOR}
    save_checkpoint(make_vocoder(), config, folder / "checkpoint")
    save_model(folder / "model")
    return folder


HARMONIC_CONF = dict(
    CONF, codec_conf=dict(CONF["codec_conf"], generator=HARMONIC, warm_up_steps=3)
)
FLOW_CONF = dict(
    codec="uniwav_flow_vocoder",
    codec_conf=dict(features=make_config()["features"], generator=FLOW, segment=6400),
    skip_discriminator_prob=1.0,
)


def make_codec(conf=CONF, **overrides):
    plugin.register()
    pytest.importorskip("espnet2")
    from espnet2.tasks.gan_codec import codec_choices

    torch.manual_seed(0)
    codec = codec_choices.get_class(conf["codec"])
    return codec(**{**conf["codec_conf"], **overrides})


def build(**conf):
    config = {"features": make_config()["features"], "vocoder": conf}
    return Vocoder.from_config(config)


@pytest.mark.parametrize("size", [GENERATOR, FINE, HARMONIC, FLOW])
@pytest.mark.parametrize("frames", [1, 2, 17])
def test_a_frame_is_a_hop(frames, size):
    vocoder = build(**size)
    assert vocoder(torch.randn(2, frames, 12)).shape == (2, 320 * frames)


@pytest.mark.parametrize("size", [GENERATOR, FLOW])
def test_what_callers_give(size):
    vocoder, x = build(**size).eval(), torch.randn(1, 9, 12)
    assert torch.equal(vocoder(x[0].double().numpy()), vocoder(x))
    with pytest.raises(ValueError, match=r"F = 12, found shape \(1, 9, 11\)"):
        vocoder(x[..., 1:])


def test_fine_frames_follow_their_frame():
    vocoder = Vocoder(make_features(), **FINE).eval()
    x = torch.randn(1, 60, 12)
    changed = x.clone()
    changed[:, 50:] += 1.0
    before, after = (vocoder(own)[0] for own in (x, changed))
    reach = 320 * (50 - 3 * 3 - 2)  # three convolutions of 7 frames, then a window
    torch.testing.assert_close(before[:reach], after[:reach])
    assert not torch.allclose(before[320 * 50 :], after[320 * 50 :])


@pytest.mark.parametrize("pitch", [61.0, 173.3, 200.0, 499.0])
def test_pulses_have_every_harmonic(pitch):
    frames = torch.full((1, 51), pitch)
    pulses = pulse_train(frames, torch.ones_like(frames), 320, 16000)
    assert pulses.shape == (1, 16000)
    assert 0.95 < pulses.square().mean() < 1.05
    spectrum = torch.fft.rfft(pulses[0] * torch.hann_window(16000)).abs()  # 1 Hz a bin
    harmonics = (pitch * torch.arange(1, int(8000 / pitch))).round().long()
    assert (spectrum[harmonics] > 0.5 * spectrum.max()).all()
    between = (harmonics + pitch / 2).long()
    assert (spectrum[between] < 0.01 * spectrum.max()).all()


def test_pulses_stop_without_voice():
    voiced = torch.tensor([[1.0, 1.0, 0.0, 0.0, 1.0]])
    pulses = pulse_train(torch.full((1, 5), 100.0), voiced, 320, 16000)
    level = pulses.unflatten(1, (4, 320)).abs().amax(dim=-1)[0]
    assert level[2] == 0 and level[0] > 5 and level[3] > 0


@pytest.mark.parametrize("workers", [0, 1])
def test_a_hum_is_measured(workers):
    frames = torch.full((2, 33), 150.0)
    voiced = torch.tensor([[1.0], [0.0]]).expand(2, 33)
    audio = 0.1 * pulse_train(frames, voiced, 320, 16000)
    pitch = measure_pitch(audio, 16000, 320, 33, workers)
    assert pitch.shape == (2, 33) and (pitch[1] == 0).all()
    torch.testing.assert_close(pitch[0, 5:-5], frames[0, 5:-5], rtol=0.01, atol=0)


def test_harmonics_follow_the_pitch():
    """Training pulses have the measured pitch, others the predicted one."""
    codec = make_codec(generator=HARMONIC, warm_up_steps=9)
    torch.nn.init.ones_(codec.generator.pitch.bias)  # the predicted pulses are voiced
    frames = torch.full((1, 41), 150.0)
    audio = 0.1 * pulse_train(frames, torch.ones_like(frames), 320, 16000)
    heard = []
    head = codec.generator.head
    head.register_forward_pre_hook(lambda _, args: heard.append(args[1]))
    for training in (True, False):
        result = codec.train(training)(audio, forward_generator=True)
        assert {"loss_pitch", "loss_voice"} < set(result["stats"])
    assert (heard[0][0][0, 5:-5] - 150).abs().max() < 2 and (heard[0][1] > 0).any()
    assert (heard[1][0][0, 5:-5] - 150).abs().min() > 2
    result["loss"].backward()
    for part in (codec.generator.pitch, codec.generator.head.filter):
        assert part.weight.grad.abs().sum() > 0


def test_latents_are_drawn_once_and_for_all():
    vocoder = build(**FLOW)
    assert isinstance(vocoder, FlowVocoder) and vocoder.sampling.guidance_scale == 0.7
    torch.nn.init.normal_(vocoder.decoder.output_projection.weight)
    x = torch.randn(1, 9, 12)
    speech = vocoder(x)
    torch.manual_seed(1)
    assert torch.equal(vocoder(x), speech)
    assert not torch.allclose(vocoder(-x), speech)


def test_latents_are_of_the_same_frames():
    with pytest.raises(ValueError, match="latents: .* hop_length of 320, .* found 160"):
        build(**{**FLOW, "latents": dict(LATENTS, frame_rate=100)})


def test_upsample_divides_the_hop():
    with pytest.raises(ValueError, match="a divisor of the hop of 320 .* found 3"):
        Vocoder(make_features(), **GENERATOR, upsample=3)


def test_the_packaged_vocoder_is_the_default(folder, tmp_path, monkeypatch):
    shutil.copytree(folder / "checkpoint", tmp_path / "vocoder")
    monkeypatch.setattr("espnet_uniwav.io.folder.PACKAGED", tmp_path)
    fitting, other = make_features(), make_features(frame_rate=100)
    for features, used in ((fitting, True), (other, False)):
        use_vocoder(features)
        assert (features.vocoder is not None) == used
    use_vocoder(fitting, "none")
    assert fitting.vocoder is None


def test_features_use_it_and_can_stop(folder):
    features = make_features()
    x = features.extract_one(make_speech([8000])[0][0])
    state, plain = features.state_dict(), features.invert_one(x)
    use_vocoder(features, "none")
    assert torch.equal(features.invert_one(x), plain)
    use_vocoder(features, folder / "checkpoint")
    vocoded = features.invert_one(x)
    assert torch.equal(vocoded, make_vocoder()(x[None])[0])
    assert vocoded.shape == plain.shape and set(features.state_dict()) == set(state)
    features.use_vocoder(None)
    assert torch.equal(features.invert_one(x), plain)


def test_other_features_are_refused(folder):
    with pytest.raises(ValueError, match="hop_length: expected 160, found 320"):
        use_vocoder(make_features(frame_rate=100), folder / "checkpoint")
    with pytest.raises(ValueError, match="kind vocoder .the vocoder1 recipe"):
        use_vocoder(make_features(), folder / "model")
    with pytest.raises(FileNotFoundError, match="gone"):
        use_vocoder(make_features(), folder / "gone")


@pytest.mark.parametrize("conf", sorted((ROOT / "egs2").glob("*/vocoder1/conf/*.yaml")))
def test_configurations_of_the_recipes_build(conf):
    conf = resolve(conf)
    codec = make_codec(conf, **conf["codec_conf"])
    assert sum(p.numel() for p in codec.generator.parameters()) > 1e6


@pytest.mark.parametrize("periods", [(), (2, 3)])
def test_turns_train_their_own_part(periods):
    codec = make_codec(periods=periods, period_channels=2).train()
    audio = make_speech([12800, 12800])[0]
    for turn, own, other in (
        (False, codec.discriminator, codec.generator),
        (True, codec.generator, codec.discriminator),
    ):
        codec.zero_grad(set_to_none=True)
        result = codec(audio, forward_generator=turn)
        result["loss"].backward()
        assert result["optim_idx"] == int(not turn) and result["weight"] == 2
        assert all(p.grad is not None for p in own.parameters())
        assert all(p.grad is None and p.requires_grad for p in other.parameters())
    names = {"loss", "loss_mel", "loss_adversarial", "loss_matching"}
    assert set(result["stats"]) == names and codec.step == 1


def test_discriminators_wait():
    codec = make_codec(warm_up_steps=1).train()
    audio = make_speech([12800])[0]
    assert float(codec(audio, forward_generator=False)["loss"].detach()) == 0
    assert set(codec(audio, forward_generator=True)["stats"]) == {"loss", "loss_mel"}
    assert codec(audio, forward_generator=False)["stats"]["loss_discriminator"] > 0
    again = make_codec(warm_up_steps=1)
    again.load_state_dict(codec.state_dict())
    assert again.is_warm


def test_generator_learns():
    codec = make_codec(warm_up_steps=99).train()
    audio = make_speech([12800, 12800])[0]
    stats = []

    def step(i):
        result = codec(audio, forward_generator=True)
        stats.append(result["stats"]["loss_mel"])
        return result["loss"]

    train_steps(step, codec.generator.parameters(), 30, 3e-3)
    assert stats[-1] < 0.7 * stats[0]


def test_segments_are_cut_from_anywhere():
    codec = make_codec(segment=3200)
    audio = torch.arange(32000.0).expand(4, -1) / 32000
    with torch.no_grad():
        starts = torch.stack([codec.train()._pair(audio)[0][:, 0, 0] for _ in range(9)])
        real, spoken, _ = codec.eval()._pair(audio)
    assert len(starts.unique()) > 20
    assert real.shape == spoken.shape == (4, 1, 3200)
    torch.testing.assert_close(real[:, 0, 0] * 32000, torch.full((4,), 14400.0))


def test_a_flow_learns_without_discriminators():
    codec = make_codec(FLOW_CONF).train()
    audio = make_speech([12800, 12800])[0]

    def step(i):
        torch.manual_seed(0)
        result = codec(audio, forward_generator=True)
        assert set(result["stats"]) == {"loss", "loss_flow"}
        return result["loss"]

    losses = train_steps(step, codec.generator.parameters(), 30, 3e-3)
    assert losses[-1] < 0.8 * losses[0] and codec.step == 30
    assert float(codec(audio, forward_generator=False)["loss"].detach()) == 0
    codec.eval()
    values = [codec(audio, forward_generator=True)["loss"] for _ in range(2)]
    assert torch.equal(*values)
    assert codec.decode(codec.encode(audio[:1, None])).shape == (1, 1, 12800)


def make_student(teacher, latents=LATENTS, **sampling):
    sampling = {**dict(num_steps=2, guidance_scale=0.0), **sampling}
    own = dict(FLOW, latents=latents, sampling=sampling)
    return make_codec(FLOW_CONF, generator=own, teacher=str(teacher))


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """A flow vocoder of four guided steps whose velocities are not zero."""
    folder = tmp_path_factory.mktemp("teacher") / "checkpoint"
    conf = dict(FLOW, sampling=dict(num_steps=4))
    vocoder = build(**conf)
    torch.nn.init.normal_(vocoder.decoder.output_projection.weight, std=0.3)
    config = {"features": make_config()["features"], "vocoder": conf}
    save_checkpoint(vocoder, config, folder)
    return folder


def test_a_student_starts_as_its_teacher_and_lands_where_it_does(teacher):
    codec = make_student(teacher).train()
    names = set(codec.state_dict())
    audio, drawn = make_speech([12800, 12800])[0], []
    known = Vocoder.from_pretrained(teacher)
    x = codec.encode(audio[:, None])

    def step(i):
        result = codec(audio, forward_generator=True)
        assert set(result["stats"]) == {"loss", "loss_distil"}
        drawn.append((codec.generator.draw(x) - known.draw(x)).square().mean())
        return result["loss"]

    train_steps(step, codec.generator.parameters(), 60, 3e-3)
    assert 0 < drawn[-1] < 0.5 * drawn[0]
    assert set(codec.state_dict()) == names  # the teacher is not saved
    start = make_student(teacher).train()
    start(audio, forward_generator=True)
    for name, weight in known.state_dict().items():
        assert torch.equal(start.generator.state_dict()[name], weight)


def test_a_resumed_student_keeps_its_weights_and_speaks_without_its_teacher(teacher):
    codec = make_student(teacher).train()
    codec.step = 1
    before = {k: v.clone() for k, v in codec.generator.state_dict().items()}
    codec(make_speech([12800])[0], forward_generator=True)
    assert all(torch.equal(v, before[k]) for k, v in codec.generator.named_parameters())
    gone = make_student("gone")
    assert gone.decode(gone.encode(torch.randn(1, 1, 3200))).shape == (1, 1, 3200)


@pytest.mark.parametrize(
    "own, error",
    [
        (dict(num_steps=3), "checkpoint: .* divide the 4 .* num_steps=3"),
        (dict(temperature=1.0), "checkpoint: .* with its temperature"),
        (dict(guidance_scale=0.7), "checkpoint: .* without guidance"),
        (dict(latents=dict(LATENTS, num_mels=9)), "expected latents .* found"),
    ],
)
def test_teachers_that_cannot_be_followed(teacher, own, error):
    with pytest.raises(ValueError, match=error):
        make_student(teacher, **own)(make_speech([12800])[0], forward_generator=True)


def test_a_student_of_latents_needs_a_teacher_of_latents(folder):
    student = make_student(folder / "checkpoint")
    with pytest.raises(ValueError, match="checkpoint: expected a vocoder that draws"):
        student(make_speech([12800])[0], forward_generator=True)


@pytest.mark.integration
@pytest.mark.parametrize("own", [CONF, HARMONIC_CONF, FLOW_CONF])
def test_stock_training_and_export(tmp_path, own):
    plugin.register()
    from espnet2.bin.gan_codec_train import main

    from espnet_uniwav.integrations.espnet.experiment import export_experiment

    write_data(tmp_path, [9600] * 4)
    conf = dict(
        own,
        use_preprocessor=False,
        batch_type="sorted",
        batch_size=2,
        num_workers=0,
        max_epoch=2,
        optim="adam",
        optim2="adam",
        num_att_plot=0,
        keep_nbest_models=1,
        best_model_criterion=[["valid", "loss", "min"]],
    )
    (tmp_path / "conf.yaml").write_text(yaml.safe_dump(conf))
    options = ["--config", f"{tmp_path}/conf.yaml", "--output_dir", f"{tmp_path}/exp"]
    for split in ("train", "valid"):
        kind = f"{tmp_path}/wav.scp,audio,sound"
        options += [f"--{split}_data_path_and_name_and_type", kind]
        options += [f"--{split}_shape_file", f"{tmp_path}/shape"]
    main(options)
    export_experiment(tmp_path / "exp", tmp_path / "checkpoint")
    features = make_features()
    use_vocoder(features, tmp_path / "checkpoint")
    wave = features.invert_one(torch.zeros(5, 12)).numpy()
    assert wave.shape == (1600,) and np.isfinite(wave).all()
