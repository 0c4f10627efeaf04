"""The joint model: its table of objectives, its inputs, its steps."""

import pytest
import torch
from factories import TRANSFORMER, make_config, make_speech
from torch import nn

from espnet_uniwav.core import pretraining
from espnet_uniwav.core.pretraining import (
    OBJECTIVES,
    Pretraining,
    model_config,
    model_prefixes,
)
from espnet_uniwav.core.ssl.objective import Objective


class Level(Objective):
    """A toy: the mean of the last state at masked frames."""

    num_ffn = 1
    model_parts = ("scale",)

    def __init__(self, encoder, factor=1.0, weight=0.5):
        super().__init__(weight)
        self.factor, self.updates = factor, 0
        self.scale = nn.Linear(encoder.embed_dim, 1)

    def forward(self, batch):
        assert len(batch.ffn_outputs) >= self.num_ffn
        frames = batch.hidden_states[-1].flatten(0, 1)[batch.masked]
        return self.factor * self.scale(frames).square().mean(), {}

    def after_optimizer_step(self, encoder):
        self.updates += 1


@pytest.fixture
def level(monkeypatch):
    """The toy among the objectives."""
    monkeypatch.setitem(OBJECTIVES, "level", Level)


DINOSR = dict(num_codebooks=2, codebook_size=16)


def make_joint(**overrides):
    torch.manual_seed(0)
    config = make_config()
    objectives = {"dinosr": DINOSR, "flow_matching": {"decoder": config.pop("decoder")}}
    return Pretraining.from_config({**config, "objectives": objectives, **overrides})


@pytest.fixture
def speech():
    return make_speech([16000, 9000])


def test_a_new_objective_needs_a_line_in_the_table(level, speech):
    model = make_joint(objectives={"dinosr": DINOSR, "level": dict(factor=2.0)})
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    loss, stats, number = model(*speech)
    total = stats["loss_dinosr"] + 0.5 * stats["loss_level"]
    torch.testing.assert_close(loss.detach(), total)
    assert number > 0 and {"accuracy", "masked_share"} <= set(stats)
    loss.backward()
    optimizer.step()
    assert model.level.updates == int(model.dinosr.teacher.num_updates) == 1
    assert model_prefixes(model.objectives)["level.scale."] == "scale."


def test_an_objective_may_be_given(speech):
    model = make_joint(objectives={})
    own = Pretraining(
        model.features,
        model.encoder,
        {"level": Level(model.encoder)},
        model.span_mask,
        model.perturb,
    )
    _, stats, _ = own(*speech)
    assert set(stats) == {"loss_level", "loss", "masked_share", "padding_share"}


def test_parts_of_one_name_are_refused(level, monkeypatch):
    monkeypatch.setattr(Level, "model_parts", ("decoder",))
    with pytest.raises(ValueError, match="level: .*'decoder'"):
        model_prefixes(["flow_matching", "level"])


def test_features_give_the_losses_of_their_samples(speech):
    losses = []
    for convert in (False, True):
        model = make_joint()
        batch = model.features.extract(*speech) if convert else speech
        torch.manual_seed(1)
        losses.append(model(*batch)[0])
    assert torch.equal(*losses)


def test_evaluation_draws_the_same_and_leaves_the_generator(speech):
    model = make_joint().eval()
    before = torch.get_rng_state()
    losses = [model(*speech)[0] for _ in range(2)]
    assert torch.equal(*losses) and torch.equal(before, torch.get_rng_state())


def test_the_model_it_trains():
    config = make_config()
    objectives = {"flow_matching": dict(decoder=config["decoder"], drop_prob=0.3)}
    found = model_config({**config, "objectives": objectives})
    assert found == {**config, "kept_frames": "data"}
    assert model_config({**config, "objectives": {}})["decoder"] is None


@pytest.mark.parametrize(
    "overrides, error, offence",
    (
        (dict(num_views=0), ValueError, "num_views.*found 0"),
        (dict(view=2), TypeError, "'view'"),
        (dict(encoder={**TRANSFORMER, "layers": 2}), TypeError, "layers"),
        (dict(objectives={"dinosr": dict(codebooks=2)}), TypeError, "codebooks"),
    ),
)
def test_wrong_arguments_are_named(overrides, error, offence):
    with pytest.raises(error, match=offence):
        make_joint(**overrides)


def test_only_bands_are_perturbed(monkeypatch):
    features = make_joint().features
    features.spec = type(features.spec)(**{**vars(features.spec), "name": "codec"})
    monkeypatch.setattr(pretraining, "build_features", lambda **conf: features)
    with pytest.raises(ValueError, match="log_mel, found codec"):
        make_joint(perturb=dict(warp=0.1))
    make_joint()
