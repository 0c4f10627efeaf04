"""What encoder, losses, trainer and export receive of one batch."""

import pytest
import torch
from espnet_case import DINOSR, FLOW_MATCHING, make_args, with_conf

from espnet_uniwav.core.model import UniWav
from espnet_uniwav.core.nn.draws import same_draws
from espnet_uniwav.integrations.espnet.experiment import describe, model_weights
from espnet_uniwav.io.folder import load_strictly


@pytest.fixture
def make_model(make_ssl):
    return lambda **overrides: make_ssl(**overrides).eval()


@pytest.fixture
def model(make_model):
    return make_model()


def encode(model, speech):
    torch.manual_seed(3)
    return model.pretraining.encode(*model.frontend(*speech))


def read_by_losses(model):
    """Name of every objective -> the batch that it will read."""
    seen = {}
    for name, objective in model.pretraining.objectives.items():
        objective.register_forward_pre_hook(
            lambda m, args, name=name: seen.update({name: args[0]})
        )
    return seen


def replace_features(model, frames):
    """From now on the frontend gives other values at (B, T) frames."""

    def hook(frontend, inputs, outputs):
        x, lengths = outputs
        return torch.where(frames[..., None], 1 - x, x), lengths

    model.frontend.register_forward_hook(hook)


def test_states_know_nothing_of_masked_frames(model, speech):
    before = encode(model, speech)
    mask = before.mask
    replace_features(model, mask)
    after = encode(model, speech)
    assert torch.equal(after.mask, mask) and mask.any()
    changed = (after.embedded != before.embedded).any(-1)
    assert torch.equal(changed, mask)
    for a, b in zip(before.hidden_states, after.hidden_states):
        assert torch.equal(a, b)


def test_states_know_the_other_frames(model, speech):
    before = encode(model, speech)
    valid = torch.arange(13) < before.lengths[:, None]
    replace_features(model, valid & ~before.mask)
    after = encode(model, speech)
    for a, b in zip(before.hidden_states, after.hidden_states):
        changed = (a != b).any(-1)
        assert changed[valid & ~before.mask].all()
    assert changed[valid].all()


def test_views_are_masks_and_perturbations_of_their_own(make_model, speech):
    model = make_model(model_conf=dict(num_views=3)).train()
    seen = read_by_losses(model)
    model(speech=speech[0], speech_lengths=speech[1])
    dinosr, flow = seen["dinosr"], seen["flow_matching"]
    assert dinosr.embedded.shape[:2] == flow.features.shape[:2] == (2, 13)
    assert all(state.shape[:2] == (6, 13) for state in dinosr.hidden_states)
    mask = torch.zeros(6 * 13, dtype=torch.bool)
    mask[dinosr.masked] = True
    views = mask.view(3, 2, 13)
    assert torch.equal(views[0], flow.mask)
    assert (views[0] != views[1]).any() and (views[1] != views[2]).any()
    assert not views[:, 1, 8:].any()
    features, _ = model.frontend(*speech)
    assert not torch.allclose(flow.features, features)  # perturbed
    embedded = model.encoder.encoder.embed(features)
    assert torch.equal(dinosr.embedded, embedded)  # not perturbed


def test_one_view_in_evaluation(make_model, speech):
    losses = [
        make_model(model_conf=dict(num_views=views))(
            speech=speech[0], speech_lengths=speech[1]
        )[0]
        for views in (1, 3)
    ]
    assert torch.equal(*losses)


def test_every_loss_reads_the_same_masked_pass(model, speech):
    seen = read_by_losses(model)
    model(speech=speech[0], speech_lengths=speech[1])
    with same_draws(speech[0].device):  # as in validation
        expected = model.pretraining.encode(*model.frontend(*speech))
    padding_mask = torch.arange(13) >= torch.tensor([[13], [8]])
    assert torch.equal(expected.padding_mask, padding_mask)
    assert not (expected.mask & padding_mask).any()
    masked = expected.mask.flatten().nonzero().squeeze(1)
    assert torch.equal(expected.masked, masked)
    assert set(seen) == {"dinosr", "flow_matching"}
    for inputs in seen.values():
        assert torch.equal(inputs.padding_mask, padding_mask)
        for a, b in zip(inputs.hidden_states, expected.hidden_states):
            assert torch.equal(a, b)
    assert torch.equal(seen["dinosr"].masked, masked)
    assert torch.equal(seen["dinosr"].embedded, expected.embedded)
    assert torch.equal(seen["flow_matching"].features, expected.features)
    assert torch.equal(seen["flow_matching"].mask, expected.mask)


@pytest.mark.parametrize("heads, kept", (("last", 0), ("own_state", 0), ("own_ffn", 2)))
def test_ffn_outputs_are_kept_for_a_loss_that_reads_them(
    make_model, speech, heads, kept
):
    model = make_model(loss=[FLOW_MATCHING, with_conf(DINOSR, heads=heads)])
    batch = encode(model, speech)
    made = []
    for layer in model.encoder.encoder.transformer.layers[3 - kept :]:
        layer.fc2.register_forward_hook(lambda m, i, o: made.append(o))
    encode(model, speech)
    assert len(batch.ffn_outputs) == kept
    for a, b in zip(batch.ffn_outputs, made):
        assert torch.equal(a, b)


def test_padding_changes_no_state_of_the_masked_pass(model, speech):
    batch = encode(model, speech)
    encoder = model.encoder.encoder
    alone = encoder(batch.embedded[1:, :8], None, batch.mask[1:, :8])
    for a, b in zip(batch.hidden_states, alone):
        torch.testing.assert_close(a[1:, :8], b, atol=2e-5, rtol=1e-4)


def test_padding_mask_of_the_caller_reaches_the_encoder(model, speech):
    """``masks`` of the ESPnet encoder: a frame marked as padding is not attended to."""
    x, lengths = model.frontend(*speech)
    masks = torch.arange(13) >= torch.tensor([[10], [8]])
    given, _, _ = model.encoder(x, lengths, masks=masks)
    shorter, _, _ = model.encoder(x[:, :10], lengths.clamp(max=10))
    for i, n in enumerate((10, 8)):
        torch.testing.assert_close(given[i, :n], shorter[i, :n], atol=2e-5, rtol=1e-4)
    made, _, _ = model.encoder(x, lengths)
    assert not torch.allclose(given[0, :10], made[0, :10], atol=1e-4)


def test_losses_are_weighted_and_the_statistics_are_not(make_model, speech):
    def run(**weights):
        losses = [
            with_conf(loss, weight=weights[loss["name"]])
            for loss in (DINOSR, FLOW_MATCHING)
        ]
        model = make_model(loss=losses)
        torch.manual_seed(3)
        return model(speech=speech[0], speech_lengths=speech[1])[:2]

    plain, stats = run(dinosr=1.0, flow_matching=1.0)
    both = stats["loss_dinosr"] + stats["loss_flow_matching"]
    torch.testing.assert_close(plain.detach(), both)
    loss, again = run(dinosr=3.0, flow_matching=0.5)
    for name in ("loss_dinosr", "loss_flow_matching"):
        assert torch.equal(stats[name], again[name]) and stats[name] > 0
    expected = 3.0 * stats["loss_dinosr"] + 0.5 * stats["loss_flow_matching"]
    torch.testing.assert_close(loss.detach(), expected)
    torch.testing.assert_close(again["loss"], expected)


def test_weights_unless_told(make_model):
    conf = {k: v for k, v in FLOW_MATCHING["conf"].items() if k != "weight"}
    model = make_model(loss=[DINOSR, dict(name="flow_matching", conf=conf)])
    assert [loss.objective.weight for loss in model.losses] == [1.0, 0.25]


def test_weight_of_a_batch_is_the_number_of_its_masked_frames(model, speech):
    drawn = []
    model.util_modules["span_mask"].register_forward_hook(
        lambda m, i, mask: drawn.append(mask)
    )
    for _ in range(5):
        _, stats, weight = model(speech=speech[0], speech_lengths=speech[1])
        assert weight.item() == int(drawn[-1].sum()) > 0
        assert float(stats["masked_share"]) == pytest.approx(weight.item() / (13 + 8))


def test_batch_without_masked_frames_weighs_one(make_model):
    """A single frame is never masked; the trainer divides by the weight."""
    model = make_model(loss=[FLOW_MATCHING])
    loss, stats, weight = model(
        speech=torch.randn(1, 300), speech_lengths=torch.tensor([300])
    )
    assert weight.item() == 1 and float(stats["masked_share"]) == 0
    assert loss.item() == 0


def test_export_takes_what_was_fitted_and_leaves_the_training_parts(
    make_model, tmp_path, speech
):
    args = vars(make_args(tmp_path))
    model = make_model().train()
    for loss in model.losses[1:]:
        loss.objective.decoder.precondition.fit(torch.randn(200, 80))
    model(speech=speech[0], speech_lengths=speech[1])
    state = model.state_dict()
    kind, config, prefixes = describe(tmp_path / "config.yaml", args)
    weights = model_weights(state, prefixes)
    exported = UniWav.from_config(config).eval()
    assert kind == UniWav.kind
    assert set(weights) == set(exported.state_dict())
    left = {k for k in state if k.startswith("losses.0.")}
    assert any(".teacher." in k for k in left) and not any(
        word in name
        for name in weights
        for word in ("teacher", "codebook", "heads", "usage")
    )
    load_strictly(exported, weights, "x")
    ours = exported.decoder.precondition.state_dict()
    theirs = model.losses[1].objective.decoder.precondition.state_dict()
    assert int(ours["num_frames"]) == 200
    for name, value in theirs.items():
        assert torch.equal(ours[name], value), name
    assert exported.features.spec == model.frontend.features.spec
    x, _ = model.frontend(*speech)
    states = model.encoder.encoder(model.encoder.encoder.embed(x))
    for a, b in zip(exported.hidden_states(x), states):
        assert torch.equal(a, b)


def test_bfloat16_is_used_and_the_loss_stays_in_fp32(make_model, speech):
    model, plain = make_model(model_conf=dict(bf16=True)), make_model()
    layer, dtypes = model.encoder.encoder.transformer.layers[0], []
    layer.fc1.register_forward_hook(lambda m, i, o: dtypes.append(o.dtype))
    losses = []
    for each in (model, plain):
        torch.manual_seed(3)
        losses.append(each(*speech)[0])
    assert dtypes == [torch.bfloat16] and losses[0].dtype == torch.float32
    torch.testing.assert_close(*losses, rtol=0.02, atol=0.0)


def test_the_teacher_hears_the_recording_and_the_student_another_voice(
    make_model, speech
):
    util = [{"name": "span_mask", "conf": {}}]
    util += [{"name": "perturb", "conf": dict(warp=0.2, filter_std=0.3)}]
    model = make_model(util=util)
    recorded = model._extract_feats(*speech)[0]
    assert torch.equal(encode(model, speech).features, recorded)
    batch = encode(model.train(), speech)
    view, encoder = batch.features, model.encoder.encoder
    assert not torch.allclose(view, recorded)
    assert torch.equal(batch.embedded, encoder.embed(recorded))
    states = encoder(encoder.embed(view), batch.padding_mask, batch.mask)
    torch.testing.assert_close(batch.hidden_states[-1], states[-1])
