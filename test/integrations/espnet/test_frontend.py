"""``frontend: uniwav`` with a pre-trained encoder, in the stock ASR task."""

import argparse
import importlib
import shutil

import pytest
import torch
import yaml
from espnet2.tasks.abs_task import scheduler_classes
from espnet2.tasks.asr import ASRTask
from espnet_case import asr_conf, parse
from factories import (
    NUM_MELS,
    TRANSFORMER,
    command,
    make_config,
    make_speech,
    save_model,
)

from espnet_uniwav import plugin
from espnet_uniwav.core.checkpoint import load_checkpoint
from espnet_uniwav.integrations.espnet.experiment import export_experiment
from espnet_uniwav.integrations.espnet.frontend import UniWavEncoderFrontend
from espnet_uniwav.integrations.espnet.ssl_frontend import UniWavFrontend
from espnet_uniwav.integrations.espnet.tts_features import UniWavFeatsExtract
from espnet_uniwav.io import folder as storage

export = command("export")

NUM_LAYERS = 3


def save(folder, **encoder):
    return save_model(folder, encoder={**TRANSFORMER, **encoder})


@pytest.fixture
def checkpoint(tmp_path):
    """A saved model and its folder."""
    return save(tmp_path / "checkpoint"), str(tmp_path / "checkpoint")


def make_args(folder, frontend_conf, **overrides):
    """Arguments of a CTC recogniser with a small encoder on the frontend."""
    size = dict(num_layers=1, hidden_size=8, output_size=8)
    conf = asr_conf(encoder="rnn", encoder_conf=size, frontend_conf=frontend_conf)
    return parse(ASRTask, folder, {**conf, **overrides})


def expected_states(model, speech):
    x, lengths = model.features.extract(*speech)
    padding = torch.arange(x.shape[1]) >= lengths[:, None]
    states = model.hidden_states(x, padding)
    return [s.masked_fill(padding[..., None], 0.0) for s in states], lengths


@pytest.mark.parametrize("task", plugin.DOWNSTREAM)
def test_registered_wherever_a_task_has_front_ends(task):
    module = importlib.import_module(f"espnet2.tasks.{task}")
    assert module.frontend_choices.get_class("uniwav") is UniWavEncoderFrontend


def test_weighted_sum_starts_as_the_mean(checkpoint, speech):
    model, path = checkpoint
    frontend = UniWavEncoderFrontend(fs="16k", checkpoint=path).eval()
    states, lengths = expected_states(model, speech)
    z, found = frontend(*speech)
    assert found.tolist() == lengths.tolist()
    assert frontend.output_size() == z.shape[-1]
    torch.testing.assert_close(z, torch.stack(states).mean(0))


@pytest.mark.parametrize("norm_first", (False, True))
@pytest.mark.parametrize("layer", (0, 2, NUM_LAYERS))
def test_one_layer_is_that_state(tmp_path, speech, layer, norm_first):
    model = save(tmp_path / "checkpoint", norm_first=norm_first)
    frontend = UniWavEncoderFrontend(
        checkpoint=str(tmp_path / "checkpoint"), layer=layer
    ).eval()
    assert len(frontend.encoder.transformer.layers) == layer
    expected = expected_states(model, speech)[0][layer]
    torch.testing.assert_close(frontend(*speech)[0], expected)


def test_batch_equals_single(checkpoint, speech):
    frontend = UniWavEncoderFrontend(checkpoint=checkpoint[1]).eval()
    batch, lengths = frontend(*speech)
    for i, samples in enumerate(speech[1]):
        single, _ = frontend(speech[0][i : i + 1, :samples], samples[None])
        torch.testing.assert_close(batch[i, : lengths[i]], single[0])
        assert not batch[i, lengths[i] :].any()


def test_what_callers_give(checkpoint, speech):
    wav, lengths = speech
    given = wav.double().numpy(), lengths.tolist()
    features = UniWavFeatsExtract(**make_config()["features"])
    frontends = UniWavEncoderFrontend(checkpoint=checkpoint[1]).eval(), features
    for frontend in (*frontends, UniWavFrontend(features_conf=dict(num_mels=12))):
        for found, expected in zip(frontend(*given), frontend(*speech)):
            assert torch.equal(found, expected)
        assert len(frontend(wav[0].numpy(), None)[0]) == 1
        with pytest.raises(TypeError, match="speech: expected .* found NoneType"):
            frontend(None, None)


def test_frozen_for_some_steps_of_training(checkpoint, speech):
    frontend = UniWavEncoderFrontend(checkpoint=checkpoint[1], freeze_steps=2).train()
    learns = []
    for _ in range(3):
        frontend.eval()(*speech)
        frontend.zero_grad()
        frontend.train()(*speech)[0].sum().backward()
        weight = frontend.encoder.input_projection.weight.grad
        learns.append(weight is not None)
        assert frontend.weighted_sum.logits.grad is not None
    assert learns == [False, False, True]
    resumed = UniWavEncoderFrontend(checkpoint=checkpoint[1], freeze_steps=4)
    resumed.load_state_dict(frontend.state_dict())
    assert resumed.step == 3


@pytest.mark.parametrize("freeze", (True, False))
@pytest.mark.parametrize("visible_only", (True, False))
def test_freeze(tmp_path, speech, freeze, visible_only):
    save(tmp_path, visible_only=visible_only)
    frontend = UniWavEncoderFrontend(
        checkpoint=str(tmp_path), freeze=freeze, dropout=0.5, mask_prob=0.5
    ).train()
    first, second = frontend(*speech)[0], frontend(*speech)[0]
    assert torch.equal(first, second) == freeze
    first.square().sum().backward()
    for name, parameter in frontend.encoder.named_parameters():
        assert (parameter.grad is None) == freeze, name
    assert frontend.weighted_sum.logits.grad.abs().sum() > 0


@pytest.mark.parametrize("kind", ("mask_prob", "channel_mask_prob", "layer_drop"))
def test_noise_of_training_only(checkpoint, speech, kind):
    frontend = UniWavEncoderFrontend(checkpoint=checkpoint[1], **{kind: 0.6})
    plain = UniWavEncoderFrontend(checkpoint=checkpoint[1]).eval()(*speech)[0]
    assert not torch.equal(frontend.train()(*speech)[0], plain)
    assert torch.equal(frontend.eval()(*speech)[0], plain)


def test_channel_mask_is_in_spans_of_whole_utterances(checkpoint, speech):
    frontend = UniWavEncoderFrontend(
        checkpoint=checkpoint[1], layer=0, channel_mask_prob=0.4, channel_mask_length=4
    ).train()
    seen = []
    frontend.encoder.forward = lambda embedded, *_: seen.append(embedded) or [embedded]
    frontend(*speech)
    zero = (seen[0] == 0).all(dim=1)
    assert zero.any(dim=1).all() and not zero.all(dim=1).any()
    assert ((seen[0] == 0).any(dim=1) == zero).all()


@pytest.mark.parametrize(
    "conf, words",
    (
        (dict(checkpoint=None), "frontend_conf needs"),
        (dict(checkpoint="nowhere"), "nowhere is no UniWav checkpoint"),
        (dict(checkpoint="./nowhere"), "nowhere is no UniWav checkpoint"),
        (dict(layer=4), "0 to 3"),
        (dict(layer="best"), "weighted_sum or 0 to 3"),
        (dict(fs="8k"), "fs is 8000 Hz.*works at 16000 Hz"),
        (dict(layer_decay=0.0), "layer_decay: expected a number from 0.01 to 1"),
    ),
)
def test_bad_configuration(checkpoint, conf, words):
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        UniWavEncoderFrontend(**{"checkpoint": checkpoint[1], **conf})


def test_statistics_of_a_learning_front_end_are_refused(checkpoint, tmp_path):
    conf = dict(checkpoint=checkpoint[1])
    args = make_args(tmp_path, conf, normalize="global_mvn")
    with pytest.raises(ValueError, match="utterance_mvn"):
        ASRTask.build_model(args)


def test_random_weights_by_architecture_only(checkpoint, speech):
    architecture = make_config()
    frontend = UniWavEncoderFrontend(architecture=architecture).eval()
    assert frontend(*speech)[0].isfinite().all()
    pretrained = UniWavEncoderFrontend(checkpoint=checkpoint[1])
    name = "encoder.transformer.layers.0.fc1.weight"
    assert not torch.equal(frontend.state_dict()[name], pretrained.state_dict()[name])


def test_rebuilt_from_the_saved_config(checkpoint, tmp_path, speech):
    """The checkpoint is gone: config.yaml and the trained weights are enough."""
    args = make_args(tmp_path, dict(checkpoint=checkpoint[1]))
    trained = ASRTask.build_model(args).eval()
    torch.nn.init.normal_(trained.frontend.weighted_sum.logits)
    saved = yaml.safe_load(yaml.safe_dump(vars(args)))
    shutil.rmtree(checkpoint[1])
    rebuilt = ASRTask.build_model(argparse.Namespace(**saved)).eval()
    with pytest.raises(FileNotFoundError, match="missing, and no trained"):
        rebuilt.encode(*speech)
    state = trained.state_dict()
    dropped = "frontend.encoder.input_projection.weight"
    partial = {key: value for key, value in state.items() if key != dropped}
    with pytest.raises(ValueError, match=dropped):
        rebuilt.load_state_dict(partial, strict=False)
    rebuilt.load_state_dict(state, strict=False)
    torch.testing.assert_close(rebuilt.encode(*speech)[0], trained.encode(*speech)[0])


def test_a_packaged_model_by_its_name(packaged, tmp_path, speech, monkeypatch):
    args = make_args(tmp_path, dict(checkpoint="tiny-test"))
    trained = ASRTask.build_model(args).eval()
    states, _ = expected_states(packaged, speech)
    torch.testing.assert_close(
        trained.frontend(*speech)[0], torch.stack(states).mean(0)
    )
    saved = yaml.safe_load(yaml.safe_dump(vars(args)))
    monkeypatch.setattr(storage, "PACKAGED", tmp_path / "gone")
    rebuilt = ASRTask.build_model(argparse.Namespace(**saved)).eval()
    rebuilt.load_state_dict(trained.state_dict())
    torch.testing.assert_close(rebuilt.encode(*speech)[0], trained.encode(*speech)[0])


def test_adapted_once(checkpoint, tmp_path):
    before = ASRTask.build_model.__func__
    UniWavEncoderFrontend.adapt_task(ASRTask)
    assert ASRTask.build_model.__func__ is before


def test_collected_statistics_need_no_encoder(checkpoint, tmp_path):
    args = make_args(tmp_path, dict(checkpoint=checkpoint[1]), collect_stats=True)
    assert not ASRTask.build_model(args).extract_feats_in_collect_stats


def test_one_step_trains(checkpoint, tmp_path):
    speech = make_speech([8000, 6000])
    model = ASRTask.build_model(
        make_args(tmp_path, dict(checkpoint=checkpoint[1]))
    ).train()
    text = torch.tensor([[3, 4], [4, -1]])
    loss = model(*speech, text, torch.tensor([2, 1]))[0]
    loss.backward()
    gradient = model.frontend.encoder.input_projection.weight.grad
    assert loss.isfinite() and gradient.abs().sum() > 0


@pytest.mark.parametrize("norm_first", (False, True))
def test_lower_layers_learn_more_slowly(tmp_path, norm_first):
    save(tmp_path / "checkpoint", norm_first=norm_first)
    conf = dict(checkpoint=str(tmp_path / "checkpoint"), layer_decay=0.5)
    args = make_args(tmp_path, conf, optim="adamw")
    model = ASRTask.build_model(args)
    (optimizer,) = ASRTask.build_optimizers(args, model)
    found = {p: g["lr"] for g in optimizer.param_groups for p in g["params"]}
    rate = args.optim_conf.get("lr", optimizer.defaults["lr"])
    encoder = model.frontend.encoder
    transformer = encoder.transformer
    assert found.keys() == set(model.parameters())
    assert found[encoder.input_projection.weight] == rate / 2 ** (NUM_LAYERS + 1)
    for number, layer in enumerate(transformer.layers):
        assert found[layer.fc1.weight] == rate / 2 ** (NUM_LAYERS - number)
    norm = found[transformer.norm.weight]
    assert norm == (rate / 2 if norm_first else rate / 2 ** (NUM_LAYERS + 1))
    assert found[model.ctc.ctc_lo.weight] == rate
    first = [group["lr"] for group in optimizer.param_groups]
    scheduler_classes["warmuplr"](optimizer, warmup_steps=4)
    later = [group["lr"] for group in optimizer.param_groups]
    ratios = [new / old for new, old in zip(later, first)]
    assert ratios == pytest.approx([ratios[0]] * len(ratios)) and ratios[0] < 1


def test_all_layers_learn_alike_unless_told(checkpoint, tmp_path):
    args = make_args(tmp_path, dict(checkpoint=checkpoint[1]))
    (optimizer,) = ASRTask.build_optimizers(args, ASRTask.build_model(args))
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize("layer", ["weighted_sum", 2])
def test_export_of_a_fine_tuned_encoder(tmp_path, layer):
    conf = dict(architecture=make_config(decoder=None), layer=layer)
    frontend = UniWavEncoderFrontend(**conf).eval()
    state = {f"frontend.{key}": value for key, value in frontend.state_dict().items()}
    torch.save(state, tmp_path / "latest.pth")
    args = dict(frontend="uniwav", frontend_conf=conf, model="espnet")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(args))
    model = export_experiment(tmp_path, tmp_path / "checkpoint").eval()
    loaded = load_checkpoint(tmp_path / "checkpoint")
    command = [str(tmp_path), str(tmp_path / "half"), "--half"]
    export([*command, "--data", "nothing", "--licence", "cc0-1.0"])
    card = (tmp_path / "half/README.md").read_text()
    assert "license: cc0-1.0" in card and "trained_on: nothing" in card
    halved = load_checkpoint(tmp_path / "half").state_dict()
    for name, value in model.named_parameters():
        assert torch.equal(halved[name], value.half().float())
    x = torch.randn(1, 20, NUM_MELS)
    expected = frontend.encoder(frontend.encoder.embed(x))
    for found in (model.hidden_states(x), loaded.hidden_states(x)):
        assert len(found) == len(expected)
        assert all(torch.equal(a, b) for a, b in zip(found, expected))
