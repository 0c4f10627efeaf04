"""The stock SSL task with our parts: one model, its training, its refusals."""

import copy
import logging
import shutil

import pytest
import torch
from espnet_case import CODEBOOKS, DINOSR, FLOW_MATCHING, HUBERT, with_conf


def objective(model, name="dinosr"):
    return next(loss for loss in model.losses if loss.name == name).objective


def train(model, optimizer, speech, lengths):
    """One step as ESPnet's trainer makes it; returns the loss."""
    loss, stats, weight = model(speech=speech, speech_lengths=lengths, utt_id=["a"])
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    if torch.isfinite(norm):
        optimizer.step()
    optimizer.zero_grad()
    return loss.item()


VIEWS = dict(model_conf=dict(num_views=3))
VISIBLE = dict(
    encoder_conf=dict(
        num_layers=3,
        embed_dim=32,
        num_heads=4,
        ffn_dim=48,
        position="conv_rotary",
        dropout=0.0,
        visible_only=True,
    ),
    util=[dict(name="span_mask", conf=dict(mask_prob=0.5, exact=True))],
)
OWN_FFN, OWN_STATE = (
    dict(loss=[with_conf(DINOSR, heads=heads), FLOW_MATCHING])
    for heads in ("own_ffn", "own_state")
)
MODES = {
    "": {},
    "views": VIEWS,
    "visible": VISIBLE,
    "visible-views": {**VISIBLE, **VIEWS},
    "own_ffn": OWN_FFN,
    "visible-views-own_ffn": {**VISIBLE, **VIEWS, **OWN_FFN},
    "own_state": OWN_STATE,
}
every_mode = pytest.mark.parametrize("mode", MODES.values(), ids=MODES)


def make_optimizer(model, lr=2e-3):
    return torch.optim.Adam(model.parameters(), lr=lr)


@every_mode
def test_one_step_trains_every_parameter(make_ssl, speech, mode):
    model = make_ssl(**mode)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    loss, _, weight = model(speech=speech[0], speech_lengths=speech[1])
    loss.backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    make_optimizer(model).step()
    after = model.state_dict()
    for name in (
        "encoder.encoder.input_projection.weight",
        "losses.0.objective.heads.weight",
        "losses.0.objective.teacher.network.layers.0.fc1.weight",
        "losses.0.objective.codebooks.sum",
        "losses.1.objective.decoder.output_projection.weight",
    ):
        assert not torch.equal(after[name], before[name]), name
    assert int(model.global_step) == 1


@pytest.mark.parametrize(
    "change",
    (
        *(MODES[mode] for mode in ("", "visible-views-own_ffn", "own_state")),
        dict(loss=[DINOSR]),
        dict(loss=[FLOW_MATCHING]),
    ),
)
def test_loss_falls_on_a_fixed_batch(make_ssl, speech, change):
    model = make_ssl(**{"util": [{"name": "span_mask", "conf": {}}], **change})
    optimizer = make_optimizer(model)
    values = []
    for step in range(60):
        # The same ten masks, times and noises at the start and at the end.
        torch.manual_seed(step % 10)
        values.append(train(model, optimizer, *speech))
    assert sum(values[-10:]) < 0.8 * sum(values[:10])
    assert int(model.global_step) == 60


@every_mode
def test_statistics(make_ssl, speech, mode):
    model = make_ssl(**mode)
    layers = range(CODEBOOKS)
    common = {"loss", "loss_dinosr", "loss_flow_matching", "accuracy", "ema_decay"}
    common |= {"masked_share", "padding_share", "nonfinite_steps"}
    common |= {f"target_perplexity_{k}" for k in layers}
    common |= {f"prediction_perplexity_{k}" for k in layers}
    _, first, weight = model(speech=speech[0], speech_lengths=speech[1])
    assert set(first) == common
    _, second, _ = model(speech=speech[0], speech_lengths=speech[1])
    assert set(second) == common | {"audio_seconds_per_second"}
    model.eval()
    _, valid, _ = model(speech=speech[0], speech_lengths=speech[1])
    epoch = {f"{name}_{k}" for name in ("codes_used", "entropy") for k in layers}
    assert set(valid) == common | epoch
    frames = sum(-(-int(n) // 320) for n in speech[1])
    share = float(first["masked_share"])
    views = model.pretraining.num_views
    assert weight.item() == pytest.approx(share * frames * views)
    assert 0 < share < 1


@pytest.mark.parametrize(
    "mode", ({}, {**VISIBLE, **VIEWS}, OWN_FFN), ids=("", "visible", "own_ffn")
)
@pytest.mark.parametrize("saving", ["checkpointing", "compile"])
def test_savings_change_no_number(make_ssl, speech, saving, mode):
    if saving == "compile" and shutil.which("g++") is None:
        pytest.skip("torch.compile needs a C++ compiler here")
    results = []
    for conf in ({}, {saving: True}):
        conf = {**mode.get("model_conf", {}), **conf}
        model = make_ssl(**{**mode, "model_conf": conf})
        torch.manual_seed(1)
        loss, stats, _ = model(speech=speech[0], speech_lengths=speech[1])
        loss.backward()
        gradients = {n: p.grad for n, p in model.named_parameters()}
        results.append((loss.detach(), gradients))
    (loss, gradients), (saved_loss, saved_gradients) = results
    torch.testing.assert_close(saved_loss, loss, atol=1e-5, rtol=1e-5)
    assert set(saved_gradients) == set(gradients)
    for name, gradient in gradients.items():
        if gradient is not None:
            torch.testing.assert_close(
                saved_gradients[name], gradient, atol=1e-5, rtol=1e-3, msg=name
            )


@pytest.mark.parametrize("value", (float("nan"), float("inf")))
def test_step_that_is_not_finite_is_skipped_and_counted(make_ssl, speech, value):
    model = make_ssl()
    optimizer = make_optimizer(model)
    train(model, optimizer, *speech)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    spoilt = speech[0].clone()
    spoilt[0, 100] = value
    assert not torch.isfinite(torch.tensor(train(model, optimizer, spoilt, speech[1])))
    for name, tensor in model.state_dict().items():
        assert tensor.isfinite().all(), name
        if "pending" not in name and name != "nonfinite_steps":
            assert torch.equal(tensor, before[name]), name
    loss, stats, _ = model(speech=speech[0], speech_lengths=speech[1])
    assert float(stats["nonfinite_steps"]) == 1
    assert loss.isfinite()
    train(model, optimizer, *speech)
    assert int(model.global_step) == 2
    assert all(v.isfinite().all() for v in model.state_dict().values())


@pytest.mark.parametrize("dtype", (torch.bfloat16, torch.float16))
@pytest.mark.parametrize("position", ("conv_alibi", "conv_rotary"))
@pytest.mark.parametrize("visible_only", (False, True))
def test_fp32_under_autocast(make_ssl, speech, dtype, position, visible_only):
    size = dict(VISIBLE["encoder_conf"], position=position, visible_only=visible_only)
    model = make_ssl(encoder_conf=size, **VIEWS)
    with torch.autocast("cpu", dtype):
        loss, stats, _ = model(speech=speech[0], speech_lengths=speech[1])
        assert model.encoder.encoder.embed(torch.zeros(1, 80)).dtype == dtype
    loss.backward()
    make_optimizer(model).step()
    assert loss.dtype == torch.float32
    assert all(v.dtype == torch.float32 for v in stats.values())
    for name, value in model.state_dict().items():
        assert value.dtype in (torch.float32, torch.long), name
        assert value.isfinite().all(), name


def test_evaluation_changes_nothing(make_ssl, speech):
    model = make_ssl().eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model(speech=speech[0], speech_lengths=speech[1])
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_states_of_the_encoder_as_espnet_wants_them(make_ssl, speech):
    model = make_ssl().eval()
    features, lengths = model.frontend(*speech)
    x, states = model.encoder(features, lengths, return_all_hs=True)[0]
    assert len(states) == 4 and torch.equal(x, states[-1])
    plain, plain_lengths, _ = model.encoder(features, lengths)
    assert torch.equal(plain, x) and torch.equal(plain_lengths, lengths)
    alone, _, _ = model.encoder(features[1:, : lengths[1]], lengths[1:])
    torch.testing.assert_close(x[1:, : lengths[1]], alone, atol=1e-4, rtol=1e-4)


def test_features_for_collect_stats(make_ssl, speech):
    longer = torch.nn.functional.pad(speech[0], (0, 3000))
    collected = make_ssl().collect_feats(speech=longer, speech_lengths=speech[1])
    assert collected["feats"].shape == (2, 13, 80)
    assert collected["feats_lengths"].tolist() == [13, 8]


BOTH = "needs frontend: uniwav and encoder: uniwav, found "
MISTAKES = (
    (dict(normalize="utterance_mvn"), "set normalize: null, found UtteranceMVN"),
    (
        dict(preencoder="linear", preencoder_conf=dict(output_size=80)),
        "set preencoder: null, found LinearProjection",
    ),
    (dict(frontend="default", frontend_conf={}), BOTH + "DefaultFrontend"),
    (
        dict(encoder="transformer", encoder_conf={}),
        BOTH + "UniWavFrontend and TransformerEncoder",
    ),
    (
        dict(loss=[dict(name="hubert", conf=HUBERT)]),
        "takes loss: dinosr, flow_matching and masked_prediction, found HuBERTLoss",
    ),
    (dict(model_conf=dict(num_views=0)), "num_views must be 1 or more, found 0"),
    (dict(encoder_conf=dict(num_layer=3)), "num_layer"),
    (dict(loss=[dict(name="dinosr", conf=dict(codebooks=2))]), "codebooks"),
    (dict(loss=[FLOW_MATCHING, FLOW_MATCHING]), "flow_matching"),
)


@pytest.mark.parametrize("overrides, message", MISTAKES)
def test_mistakes_are_named(make_ssl, overrides, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make_ssl(**overrides)


def test_spec_of_another_checkpoint_is_refused(make_ssl):
    slow = make_ssl()
    conf = dict(features_conf=dict(frame_rate=100, mean=-4.0))
    fast = make_ssl(frontend_conf=conf)
    with pytest.raises(ValueError) as error:
        fast.load_state_dict(slow.state_dict())
    text = str(error.value)
    assert "hop_length: expected 320, found 160" in text
    assert "mean: expected [-5." in text and "found [-4.0]" in text
    make_ssl().load_state_dict(slow.state_dict())


def test_spec_survives_model_averaging(make_ssl):
    """ESPnet sums the tensors of several epochs and divides."""
    model = make_ssl()
    state = model.state_dict()
    key = next(k for k in state if k.endswith("_extra_state"))
    state[key] = (state[key] + state[key] + state[key]) / 3
    make_ssl().load_state_dict(state)


@every_mode
def test_resumed_model_goes_on_as_if_it_had_never_stopped(make_ssl, speech, mode):
    model = make_ssl(**mode)
    optimizer = make_optimizer(model)
    for _ in range(2):
        train(model, optimizer, *speech)
    resumed = make_ssl(**mode)
    resumed.load_state_dict(model.state_dict())
    other = make_optimizer(resumed)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for step in range(3):
        torch.manual_seed(step)
        expected = train(model, optimizer, *speech)
        torch.manual_seed(step)
        assert train(resumed, other, *speech) == expected
    for (name, a), b in zip(model.state_dict().items(), resumed.state_dict().values()):
        assert torch.equal(a, b), name


def test_collapse_warns_and_health_does_not(make_ssl, speech, caplog):
    model = make_ssl()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            model.train()
            model(speech=speech[0], speech_lengths=speech[1])
            objective(model).usage[1].zero_()[3] = 40
            objective(model).usage[0].fill_(2)
            model.eval()
            model(speech=speech[0], speech_lengths=speech[1])
    (record,) = [r for r in caplog.records if "collapsing" in r.getMessage()]
    assert record.getMessage().startswith("codebook 1 is collapsing")
    assert "ema_decay" in record.getMessage()


def test_the_joint_model_has_the_mode_of_the_model(make_ssl, speech):
    """Also where a training loop restores the mode of each module after validation."""
    model = make_ssl()
    modes = {module: module.training for module in model.train().modules()}
    model.eval()(*speech)
    assert not model.pretraining.training
    for module, mode in modes.items():
        module.training = mode
    model(*speech)
    assert model.pretraining.training
