"""Saved names, and the order of the optimiser's tensors: running experiments load."""

from pathlib import Path

import pytest
import torch
from espnet2.tasks.ssl import SSLTask
from espnet_case import DINOSR, FLOW_MATCHING, HUBERT, make_args, with_conf

from espnet_uniwav.core.model import UniWav
from espnet_uniwav.core.pretraining import Pretraining, model_prefixes
from espnet_uniwav.integrations.espnet.experiment import (
    describe,
    espnet_prefixes,
    model_weights,
    pretraining_config,
)

# Of a model of one layer, in the order of its state; parameters are marked.
LINES = Path(__file__).with_name("state_names.txt").read_text().splitlines()
PARAMETER = " parameter"
SIZE = dict(num_layers=1, embed_dim=16, num_heads=2, ffn_dim=8, position="conv_alibi")
DECODER = dict(num_layers=2, num_heads=2, ffn_dim=8)
LOSSES = [
    with_conf(DINOSR, num_codebooks=1, predictor_layers=1),
    with_conf(FLOW_MATCHING, decoder=DECODER),
    dict(name="masked_prediction", conf=HUBERT),
]


@pytest.fixture
def args(tmp_path):
    return make_args(tmp_path, encoder_conf=SIZE, loss=LOSSES)


def test_names_and_order_are_those_of_saved_experiments(args):
    model = SSLTask.build_model(args)
    assert list(model.state_dict()) == [line.removesuffix(PARAMETER) for line in LINES]
    expected = [line.removesuffix(PARAMETER) for line in LINES if PARAMETER in line]
    assert [name for name, _ in model.named_parameters()] == expected


def test_the_joint_model_has_the_tensors_of_espnets(args):
    """Under the names of fairseq2's steps, and in the same order."""
    torch.manual_seed(0)
    ours = Pretraining.from_config(pretraining_config(vars(args))).state_dict()
    assert {name.split(".")[0] for name in ours} == {
        "encoder",
        "dinosr",
        "flow_matching",
    }
    prefixes = {b: a for a, b in espnet_prefixes(vars(args)).items()}
    state = SSLTask.build_model(args).state_dict()
    found = model_weights(state, prefixes)
    assert [(k, v.shape) for k, v in found.items()] == [
        (k, v.shape) for k, v in ours.items()
    ]


def test_exported_names_are_those_of_a_model(args, tmp_path):
    _, config, prefixes = describe(tmp_path / "config.yaml", vars(args))
    weights = model_weights(SSLTask.build_model(args).state_dict(), prefixes)
    assert set(weights) == set(UniWav.from_config(config).state_dict())
    prefixes = model_prefixes(["dinosr", "flow_matching"])
    ours = Pretraining.from_config(pretraining_config(vars(args))).state_dict()
    assert set(model_weights(ours, prefixes)) == set(weights)


def test_a_loss_that_is_named_twice_is_refused(tmp_path):
    args = make_args(tmp_path, loss=[FLOW_MATCHING, FLOW_MATCHING])
    with pytest.raises(ValueError, match="flow_matching"):
        describe(tmp_path, vars(args))
