"""A checkpoint of another kind is refused by its name, wherever one is named."""

import argparse

import pytest
import torch
import yaml
from safetensors.torch import save_file

pytest.importorskip("espnet2")
from espnet_uniwav.apps.tokenizer.cluster import load_with_decoder
from espnet_uniwav.apps.tokenizer.tokenizer import UniWavTokenizer
from espnet_uniwav.apps.tts.synthesizer import Synthesizer
from espnet_uniwav.apps.vocoder import Vocoder
from espnet_uniwav.core.checkpoint import (
    load_checkpoint,
    read_checkpoint,
    untrained_model,
)
from espnet_uniwav.core.features import build_features
from espnet_uniwav.integrations.espnet import tokenizer, tts_task
from espnet_uniwav.integrations.espnet.frontend import UniWavEncoderFrontend


def upstream(name):
    return pytest.importorskip("espnet_uniwav.integrations.s3prl.hubconf").uniwav_local(
        name
    )


def random_upstream(name):
    hub = pytest.importorskip("espnet_uniwav.integrations.s3prl.hubconf")
    return hub.uniwav_random_local(name)


def tts_conf(name):
    conf = dict(feats_extract="uniwav", normalize=None, token_list=["a"])
    tts_task._describe(argparse.Namespace(**conf, tts_conf={"checkpoint": name}))


def model_conf(name):
    tokenizer._describe(argparse.Namespace(model_conf={"checkpoint": name}))


def features_conf(name):
    return build_features("neural_codec", checkpoint=name)


WHAT = {
    "voices": "synthesiser: name it with --model of `uniwav tts`",
    "vocoder": "vocoder: name it with --vocoder",
    "tokens": "tokenizer: load it with UniWavTokenizer.from_pretrained",
    "small": "uniwav: name it with --checkpoint",
}
PRETRAINED = [
    load_checkpoint,
    untrained_model,
    lambda name: load_with_decoder("small", name),
    lambda name: UniWavEncoderFrontend(checkpoint=name),
    tts_conf,
    upstream,
    random_upstream,
]
TOKENIZER = [UniWavTokenizer.from_pretrained, model_conf]
REFUSED = [
    *((take, name) for take in PRETRAINED for name in ("voices", "vocoder", "tokens")),
    *((take, name) for take in TOKENIZER for name in ("voices", "vocoder")),
]


@pytest.mark.parametrize("take, name", REFUSED)
def test_another_kind(take, name):
    with pytest.raises(ValueError, match=f"{name}: expected .*{WHAT[name]}"):
        take(name)


def test_other_kinds_with_words_of_their_own(tmp_path):
    with pytest.raises(ValueError, match="small: .*tokenizer .`uniwav cluster` makes"):
        model_conf("small")
    for name in ("small", "voices", "tokens"):
        with pytest.raises(ValueError, match=f"{name}: .*vocoder .the vocoder1 recipe"):
            Vocoder.from_pretrained(name)
    for name in ("small", "vocoder", "tokens"):
        message = f"{name}: expected .*synthesiser .*{WHAT[name]}"
        with pytest.raises(ValueError, match=message):
            Synthesizer.from_pretrained(name)
    for name in ("voices", "small"):
        found = "found features: log_mel"
        with pytest.raises(ValueError, match=f"{name}: expected a folder of .*{found}"):
            features_conf(name)


@pytest.mark.parametrize("kind", (["uniwav"], {"uniwav": 1}, None, 3, "other"))
def test_a_kind_that_is_none(tmp_path, kind):
    config = yaml.safe_dump({"kind": kind, "model": {"features": {}}})
    (tmp_path / "config.yaml").write_text(config)
    save_file({"x": torch.zeros(500)}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=f"{tmp_path}.*expected a kind among uniwav"):
        read_checkpoint(tmp_path)
