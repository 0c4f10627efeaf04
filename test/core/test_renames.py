"""Folders of version 0.1.0: without ``kind``, with old keys, and with old names."""

import pytest
import torch
from factories import make_config, make_model, make_speech, make_synthesizer

from espnet_uniwav import load
from espnet_uniwav.apps.tokenizer.tokenizer import UniWavTokenizer
from espnet_uniwav.apps.tts.synthesizer import Synthesizer
from espnet_uniwav.core import renames
from espnet_uniwav.core.checkpoint import read_checkpoint
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.core.renames import rename_settings, rename_tensors
from espnet_uniwav.io.folder import write_folder

TOKENS = ["<blank>", "<unk>", "A", "A_E", "B", "SIL", "<sos/eos>"]


def equal(found, expected):
    expected = expected.state_dict()
    assert found.keys() == expected.keys()
    return all(torch.equal(found[name], value) for name, value in expected.items())


def write_old(folder, model, config, names=lambda name: name, spec=True):
    content = {"model": config, "about": {"updates": 7}}
    if spec:
        content["feature_spec"] = model.features.spec.to_dict()
    weights = {names(name): value for name, value in model.state_dict().items()}
    write_folder(folder, {k: v.clone() for k, v in weights.items()}, content)


def test_a_folder_without_kind(tmp_path):
    model = make_model()
    write_old(tmp_path, model, make_config())
    loaded = load(tmp_path)
    assert isinstance(loaded, UniWav) and equal(loaded.state_dict(), model)


@pytest.mark.parametrize("key, kind", renames.KINDS.items())
def test_kinds(tmp_path, key, kind, monkeypatch):
    monkeypatch.setattr(renames, "SYNTHESISER", "builtins:dict")
    write_folder(tmp_path, {}, {"model": {key: {}}})
    assert read_checkpoint(tmp_path).kind == kind


def test_of_no_kind(tmp_path):
    write_folder(tmp_path, {}, {"model": {"strange": {}}})
    with pytest.raises(ValueError, match=f"{tmp_path}: expected the key 'kind'"):
        read_checkpoint(tmp_path)
    write_folder(tmp_path, {}, {"kind": "strange", "model": {}})
    with pytest.raises(ValueError, match=f"{tmp_path}: .*found 'strange'"):
        read_checkpoint(tmp_path)


def test_a_synthesiser_with_the_arguments_of_its_task(tmp_path):
    network = make_synthesizer(TOKENS, text_layers=1)
    conf = dict(
        architecture=make_config(),
        token_list=TOKENS,
        text_layers=1,
        durations_only=None,
        checkpoint=None,
        num_steps=2,
        speed=0.5,
        voice="me.wav",
    )
    args = dict(tts="uniwav", token_type="phn", g2p=None, token_list=TOKENS)
    args |= {"tts_conf": conf, "accum_grad": 1}
    names = "tts.synthesizer.{}".format
    write_old(tmp_path, network, {"tts": args}, names, spec=False)
    (tmp_path / "files").mkdir()
    (tmp_path / "files/me.wav").touch()
    loaded = load(tmp_path)
    assert isinstance(loaded, Synthesizer)
    assert equal(loaded.network.state_dict(), network)
    assert loaded.network.token_list == TOKENS and loaded.sampling.num_steps == 2
    assert loaded.speed == 0.5 and loaded.voice == tmp_path / "files/me.wav"


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
def test_an_older_tokenizer_has_the_same_codes(tmp_path, conf, names):
    tokenizer, speech = make_tokenizer(conf), make_speech([8000])[0]
    config = {**make_config(), "tokenizer": conf}
    content = {"model": config, "feature_spec": tokenizer.features.spec.to_dict()}
    old = {name: value.clone() for name, value in age(tokenizer, names).items()}
    write_folder(tmp_path, old, content)
    fresh = load(tmp_path)
    assert torch.equal(fresh.encode(speech), tokenizer.encode(speech))
    speaker = tokenizer.encode_speaker(speech)
    assert torch.equal(fresh.encode_speaker(speech), speaker)


def test_names_of_today_stay():
    for conf in (CLUSTERS, LEARNED):
        weights = make_tokenizer(conf).state_dict()
        assert rename_tensors(weights, "tokenizer").keys() == weights.keys()


def test_settings():
    found = rename_settings({"tokenizer": LEARNED})["tokenizer"]
    assert found == dict(
        layer="learned",
        num_codebooks=2,
        codebook_size=8,
        num_axes=64,
        frames_per_code=2,
        speaker_code_length=4,
        semantic_layer=2,
    )
    assert rename_settings({"tokenizer": found})["tokenizer"] == found


@pytest.mark.parametrize("key, value", [("normalise", False), ("readout_weight", 0.0)])
def test_dropped_settings_of_other_values_are_refused(key, value):
    with pytest.raises(ValueError, match=f"{key}: expected .*, found {value}"):
        rename_settings({"tokenizer": {key: value}})


def test_keys_that_nobody_knows_stay():
    found = {None: 1, "other": None}
    assert rename_settings({"tokenizer": found})["tokenizer"] == found


def test_a_prefix_comes_before_all_names():
    new = "tokenizer.quantizer.codebooks"
    old = {"tokenizer.quantizer.means": 1, "quantizer.means": 2}
    found = rename_tensors(old, "tokenizer", "tokenizer.")
    assert found == {new: 1, "quantizer.means": 2}
