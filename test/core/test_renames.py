"""Folders of version 0.1.0: without ``kind``, with old keys, and with old names."""

from __future__ import annotations

import pytest
import torch
from factories import make_config, make_model, make_synthesizer

from espnet_uniwav import load
from espnet_uniwav.apps.tokenizer.tokenizer import UniWavTokenizer
from espnet_uniwav.apps.tts.synthesizer import Synthesizer
from espnet_uniwav.core import renames
from espnet_uniwav.core.checkpoint import read_checkpoint
from espnet_uniwav.core.model import UniWav
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


def test_names_of_tensors(tmp_path):
    conf = dict(layer=2, num_codebooks=2, codebook_size=16)
    tokenizer = UniWavTokenizer(make_model(), **conf).eval()
    config = {**make_config(), "tokenizer": conf}
    old = ("quantizer.metric", "quantizer.readout")

    def shorten(name):
        return name.removeprefix("quantizer.") if name.startswith(old) else name

    assert {"metric.axes", "readout.weight"} < set(map(shorten, tokenizer.state_dict()))
    write_old(tmp_path, tokenizer, config, shorten)
    assert equal(load(tmp_path).state_dict(), tokenizer)


def test_keys(monkeypatch):
    monkeypatch.setattr(renames, "KEYS", {"tokenizer": {"old": "new"}})
    config = {"encoder": {"old": 1}, "tokenizer": {"old": 2, "layer": 3}}
    assert renames.update_keys(config) == {
        "encoder": {"old": 1},
        "tokenizer": {"new": 2, "layer": 3},
    }


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
