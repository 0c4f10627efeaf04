"""Numbers out of bounds are refused where they come in."""

import argparse

import pytest
import yaml

from espnet_uniwav.apps.tts.synthesizer import SpeakingOptions
from espnet_uniwav.cli.command import check_options
from espnet_uniwav.core.flow.sampling import Sampling
from espnet_uniwav.io.bounds import NUMBERS, check_number, check_sizes, check_weights

NAN, INF = float("nan"), float("inf")
BAD = {
    "num_steps": (0, -1, 10**7, 2.5, "8", True, None),
    "guidance_scale": (NAN, INF, -INF, -0.1, 1e30, "1", None),
    "temperature": (NAN, INF, -0.1, 1e30),
    "seed": (-1, 2**70, 0.5),
    "speed": (0, -1, INF, NAN, 1e-9),
    "seconds": (0, -1, INF, NAN, 1e9),
}


@pytest.mark.parametrize("name, value", [(k, v) for k in BAD for v in BAD[k]])
def test_bad_numbers(name, value):
    if name == "seconds" or value is not None:
        kind = Sampling if name in Sampling.__dataclass_fields__ else SpeakingOptions
        with pytest.raises(ValueError, match=f"^{name}: expected a .*from .* found"):
            kind(**{name: value})
        with pytest.raises(ValueError, match=f"^--{name}: expected"):
            check_options(argparse.Namespace(**{name: value}))


@pytest.mark.parametrize("name", NUMBERS)
def test_the_bounds_themselves_are_good(name):
    kind, low, high = NUMBERS[name]
    for value in (low, high):
        check_number(name, kind(value))


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta", "cpu:x", ""])
def test_unknown_devices(device):
    with pytest.raises(ValueError, match="^--device: .* cannot be used"):
        check_options(argparse.Namespace(device=device))


def test_sizes_at_any_depth():
    good = {"encoder": {"num_layers": 12}, "list": [{"embed_dim": 768}]}
    check_sizes(good, "a.yaml")
    for value in (-1, "12", 1e9, [], 10**9, True):
        bad = {"list": [good, {"embed_dim": value}]}
        if value == []:
            check_sizes(bad, "a.yaml")
        else:
            with pytest.raises(ValueError, match="a.yaml: embed_dim: expected a whole"):
                check_sizes(bad, "a.yaml")


def test_a_configuration_that_grows_without_end():
    lines = [
        "a0: &a0 [x]",
        *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60)),
    ]
    check_sizes(yaml.safe_load("\n".join(lines)), "a.yaml")


def test_more_layers_than_the_weights_can_hold():
    config = {"encoder": dict(num_layers=12, embed_dim=768, ffn_dim=3072)}
    check_weights(config, 12 * 768 * 3072 * 2, "a.yaml")
    with pytest.raises(
        ValueError, match="a.yaml: 12 layers of width 768 need .* has 9"
    ):
        check_weights(config, 9, "a.yaml")
    check_weights({"encoder": {"embed_dim": {}, "num_layers": "x"}}, 9, "a.yaml")
