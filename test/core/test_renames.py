"""Checkpoints and trainings of older versions still load."""

import pytest
import torch
from factories import make_config, make_speech

from espnet_uniwav.apps.tokenizer.tokenizer import UniWavTokenizer
from espnet_uniwav.core.renames import RENAMES, rename_settings, rename_tensors
from espnet_uniwav.io.folder import load_strictly

CLUSTERS = dict(layer=2, num_codebooks=2, codebook_size=8)
LEARNED = dict(
    layer="learned",
    num_codebooks=2,
    codebook_size=8,
    normalise=True,
    num_axes=64,
    readout_weight=1.0,
    frames_per_code=2,
    voice_digits=4,
    semantic=2,
)
# Today's name -> that of an older version.
OLD_CLUSTERS = {
    "quantizer.readout_scale": "quantizer.metric.scale",
    "quantizer.whitening.center": "quantizer.metric.center",
    "quantizer.whitening.axes": "quantizer.metric.axes",
    "quantizer.semantic_codebook": "quantizer.codewords",
    "quantizer.codebooks": "quantizer.means",
}
OLDEST_CLUSTERS = {
    "quantizer.readout_scale": "metric.scale",
    "quantizer.whitening.center": "metric.center",
    "quantizer.whitening.axes": "metric.axes",
    "quantizer.readout.weight": "readout.weight",
    "quantizer.readout.bias": "readout.bias",
}
OLD_LEARNED = {
    "quantizer.speaker.scalar.component": "quantizer.digits.component",
    "quantizer.speaker.norm.mean_square": "quantizer.spread.square",
    "quantizer.speaker.analysis.weight": "quantizer.write_voice.weight",
    "quantizer.speaker.synthesis.weight": "quantizer.read_voice.weight",
    "quantizer.semantic_embedding.weight": "quantizer.meaning.weight",
    "quantizer.semantic.whitening.center": "quantizer.semantic.metric.center",
    "quantizer.semantic.whitening.axes": "quantizer.semantic.metric.axes",
}


def make_tokenizer(conf):
    tokenizer = UniWavTokenizer.from_config({**make_config(), "tokenizer": conf}).eval()
    for value in tokenizer.quantizer.state_dict().values():
        if value.is_floating_point():
            value.normal_()
    return tokenizer


def age(tokenizer, names):
    """The tensors under the names of an older version."""
    weights = tokenizer.state_dict()
    assert names.keys() <= weights.keys()
    aged = {names.get(name, name): value for name, value in weights.items()}
    if names is OLD_LEARNED:
        aged["quantizer.semantic.metric.scale"] = torch.ones(())
    return aged


@pytest.mark.parametrize(
    "conf, names",
    [(CLUSTERS, OLD_CLUSTERS), (CLUSTERS, OLDEST_CLUSTERS), (LEARNED, OLD_LEARNED)],
)
def test_an_older_tokenizer_has_the_same_codes(conf, names):
    tokenizer, speech = make_tokenizer(conf), make_speech([8000])[0]
    fresh = UniWavTokenizer.from_config({**make_config(), "tokenizer": conf}).eval()
    load_strictly(fresh, age(tokenizer, names), "an older file")
    assert torch.equal(fresh.encode(speech), tokenizer.encode(speech))
    speaker = tokenizer.encode_speaker(speech)
    assert torch.equal(fresh.encode_speaker(speech), speaker)


def test_names_of_today_stay():
    for kind in ("tokenizer tensors",):
        for conf in (CLUSTERS, LEARNED):
            weights = make_tokenizer(conf).state_dict()
            assert rename_tensors(weights, kind).keys() == weights.keys()


def test_settings():
    found = rename_settings(LEARNED, "tokenizer settings")
    assert found == dict(
        layer="learned",
        num_codebooks=2,
        codebook_size=8,
        num_axes=64,
        frames_per_code=2,
        speaker_code_length=4,
        semantic_layer=2,
    )
    assert rename_settings(found, "tokenizer settings") == found


@pytest.mark.parametrize("key, value", [("normalise", False), ("readout_weight", 0.0)])
def test_dropped_settings_of_other_values_are_refused(key, value):
    with pytest.raises(ValueError, match=f"{key}: expected .*, found {value}"):
        rename_settings({key: value}, "tokenizer settings")


def test_a_prefix_comes_before_all_names():
    new = "tokenizer.quantizer.codebooks"
    old = {"tokenizer.quantizer.means": 1, "quantizer.means": 2}
    found = rename_tensors(old, "tokenizer tensors", "tokenizer.")
    assert found == {new: 1, "quantizer.means": 2}
    assert set(RENAMES) >= {"tokenizer tensors", "tokenizer settings"}
