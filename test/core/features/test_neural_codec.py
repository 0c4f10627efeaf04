"""Neural codecs as features: lengths, padding, and weights saved with the model."""

import pytest
import soundfile
import torch
import yaml
from factories import command, make_config, make_speech

from espnet_uniwav import load
from espnet_uniwav.core.checkpoint import (
    load_checkpoint,
    save_checkpoint,
    untrained_model,
)
from espnet_uniwav.core.features import NeuralCodec, build_features, check_spec
from espnet_uniwav.core.features.neural_codec import build_network
from espnet_uniwav.core.model import UniWav

codec = command("codec")

ENCODEC = dict(
    num_filters=4,
    hidden_size=8,
    upsampling_ratios=[8, 5, 4, 2],
    sampling_rate=16000,
    num_lstm_layers=1,
    codebook_size=4,
    codebook_dim=8,
    target_bandwidths=[1.5],
)
ESPNET = dict(hidden_dim=8, encdec_n_filters=4, encdec_lstm=1)
LENGTHS = [16000, 9000, 3333]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three recordings."""
    folder = tmp_path_factory.mktemp("codec")
    speech, _ = make_speech(LENGTHS)
    for i, (own, n) in enumerate(zip(speech, LENGTHS)):
        soundfile.write(folder / f"{i}.wav", own[:n].numpy(), 16000)
    lines = (f"utt{i} {folder / str(i)}.wav\n" for i in range(3))
    (folder / "wav.scp").write_text("".join(lines))
    return folder


def save_encodec(folder):
    from transformers import EncodecConfig, EncodecModel

    torch.manual_seed(0)
    EncodecModel(EncodecConfig(**ENCODEC)).save_pretrained(folder)
    return folder


def save_experiment(folder, kind="encodec"):
    """Write an experiment of gan_codec_train with random weights."""
    pytest.importorskip("espnet2")
    torch.manual_seed(0)
    network = build_network("espnet", dict(sampling_rate=16000, **ESPNET))
    folder.mkdir()
    # ESPnet adds sample_rate to the parameters that were given.
    generator = dict(ESPNET, sample_rate=16000)
    conf = dict(sampling_rate=16000, generator_params=generator)
    args = dict(codec=kind, codec_conf=conf)
    (folder / "config.yaml").write_text(yaml.safe_dump(args))
    state = {f"codec.generator.{k}": v for k, v in network.state_dict().items()}
    state["codec.generator.quantizer.x"] = torch.zeros(3)
    torch.save(state, folder / "latest.pth")
    return folder


@pytest.fixture(scope="module", params=["encodec", "espnet"])
def folder(request, data):
    """What `uniwav codec` writes."""
    save = save_encodec if request.param == "encodec" else save_experiment
    source = save(data / f"{request.param}_source")
    out = data / request.param
    codec([str(source), str(data / "wav.scp"), str(out)])
    return out


@pytest.fixture(scope="module")
def features(folder):
    return build_features("neural_codec", checkpoint=str(folder), sample_rate=16000)


def make_codec_model(folder):
    config = make_config()
    kept = NeuralCodec(checkpoint=str(folder)).spec
    conf = {**kept.conf, "mean": list(kept.mean), "std": list(kept.std)}
    config["features"] = {"name": "neural_codec", **conf}
    torch.manual_seed(1)
    model = UniWav.from_config(config).eval()
    model.features = NeuralCodec(checkpoint=str(folder))
    return model, config


def test_latents_are_normalised(features):
    assert (features.spec.dim, features.spec.frame_rate) == (8, 50)
    x, lengths = features.extract(*make_speech(LENGTHS))
    frames = torch.cat([own[:n] for own, n in zip(x, lengths)])
    assert frames.mean(0).abs().max() < 0.2
    assert ((frames.std(0) - 1).abs() < 0.2).all()


@pytest.mark.parametrize("extra", [0, 1, 640])
def test_batch_equals_single(features, extra):
    speech, lengths = make_speech(LENGTHS)
    noise = torch.cat((speech, torch.randn(3, extra)), dim=1)
    x, frames = features.extract(noise, lengths)
    for own, count, wav, n in zip(x, frames, speech, LENGTHS):
        assert count == -(-n // 320)
        single = features.extract_one(wav[:n])
        torch.testing.assert_close(own[:count], single, atol=1e-4, rtol=1e-4)
        assert not own[count:].any()


def test_the_context_is_needed(features):
    """Frames depend on samples after them, so the end is padded with silence."""
    speech, _ = make_speech([16000])
    whole = features.network.encode(speech[:, None])
    cut = features.network.encode(speech[:, None, :8000])
    last = (whole[..., :25] - cut).abs().amax(1)[0]
    if features.spec.conf["codec"] == "espnet":
        assert last[-1] > 1e-4
    seen = features.network.context // 320
    assert last[: 25 - seen].max() < 1e-5


def test_back_to_speech(features):
    speech, lengths = make_speech(LENGTHS)
    back, samples = features.invert(*features.extract(speech, lengths))
    assert samples.tolist() == [16000, 9280, 3520] and back.shape == (3, 16000)
    assert features.invert_one(features.extract_one(speech[2, :3333])).shape == (3520,)


def test_weights_travel_with_the_model(folder, tmp_path):
    model, config = make_codec_model(folder)
    save_checkpoint(model, config, tmp_path)
    loaded = load_checkpoint(tmp_path)
    speech, lengths = make_speech(LENGTHS)
    found = loaded.features.extract(speech, lengths)[0]
    assert torch.equal(found, model.features.extract(speech, lengths)[0])
    drawn = untrained_model(tmp_path, 3)
    assert torch.equal(found, drawn.features.extract(speech, lengths)[0])
    again = NeuralCodec(checkpoint=str(tmp_path))
    assert torch.equal(found, again.extract(speech, lengths)[0])
    check_spec(model.features.spec, again.spec, "again")


def test_a_codec_is_not_trained(folder):
    model, _ = make_codec_model(folder)
    model.train()
    assert not model.features.network.training
    assert not any(p.requires_grad for p in model.features.parameters())
    trained = [n for n, p in model.named_parameters() if p.requires_grad]
    assert trained and not any(name.startswith("features") for name in trained)


def test_refuses(folder, data, tmp_path):
    with pytest.raises(ValueError, match="works at 16000 Hz, found fs of 8000"):
        NeuralCodec(checkpoint=str(folder), sample_rate=8000)
    with pytest.raises(ValueError, match="needs features_conf: {checkpoint: FOLDER}"):
        NeuralCodec()
    with pytest.raises(FileNotFoundError, match="nowhere is no .* `uniwav codec`"):
        NeuralCodec(checkpoint="nowhere")
    assert load(folder).spec == NeuralCodec(folder).spec
    with pytest.raises(ValueError, match="found one of the kind features"):
        load_checkpoint(folder)
    spec = NeuralCodec(checkpoint=str(folder)).spec
    without = NeuralCodec(**spec.conf, mean=spec.mean, std=spec.std)
    with pytest.raises(RuntimeError, match="weights of this codec were not loaded"):
        without.extract_one(torch.zeros(800))
    other = NeuralCodec(**{**spec.conf, "checksum": "x"}, mean=spec.mean, std=spec.std)
    with pytest.raises(ValueError, match="features do not match: conf"):
        check_spec(spec, other.spec, "here")


def test_command_refuses(data, tmp_path):
    table = str(data / "wav.scp")
    experiment = save_experiment(tmp_path / "exp", "dac")
    with pytest.raises(SystemExit, match="encodec or soundstream, found dac"):
        codec([str(experiment), table, str(tmp_path / "out")])
    (experiment / "latest.pth").unlink()
    with pytest.raises(SystemExit, match="latest.pth is missing"):
        codec([str(experiment), table, str(tmp_path / "out")])
    (tmp_path / "none.scp").write_text("")
    source = save_encodec(tmp_path / "hf")
    with pytest.raises(SystemExit, match="none.scp: expected utterances, found none"):
        codec([str(source), str(tmp_path / "none.scp"), str(tmp_path / "out")])


def test_a_codec_that_is_nowhere_is_one_line(monkeypatch):
    from espnet_uniwav.core.features.encodec import read_encodec

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(OSError, match="^no/codec: cannot be read as EnCodec") as caught:
        read_encodec("no/codec")
    assert "\n" not in str(caught.value)
