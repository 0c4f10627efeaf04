"""Checkpoints that leave weights to another one."""

import shutil

import pytest
import torch
import yaml
from factories import make_config, save_model
from safetensors.torch import load_file

from espnet_uniwav.core.checkpoint import load_checkpoint, save_checkpoint
from espnet_uniwav.io.base import find_shared, take_shared
from espnet_uniwav.io.folder import (
    CONFIG,
    WEIGHTS,
    read_weights,
    share_weights,
    write_folder,
)

ENCODER = "encoder.transformer.layers"


@pytest.fixture
def folder(tmp_path):
    """A base, and a checkpoint whose decoder and first layer are others."""
    model = save_model(tmp_path / "base")
    with torch.no_grad():
        for part in (model.decoder, model.encoder.transformer.layers[0]):
            for parameter in part.parameters():
                parameter.add_(0.5)
    save_checkpoint(model, make_config(), tmp_path / "own")
    return tmp_path


def change(folder, **changes):
    """Other values of ``base`` in a configuration."""
    path = folder / CONFIG
    config = yaml.safe_load(path.read_text())
    config["base"].update(changes)
    path.write_text(yaml.safe_dump(config))


def test_what_is_loaded_stays(folder):
    expected = load_checkpoint(folder / "own").state_dict()
    share_weights(folder / "own", str(folder / "base"))
    stored = load_file(folder / "own" / WEIGHTS)
    assert not any(name.startswith(f"{ENCODER}.1") for name in stored)
    assert any(name.startswith(f"{ENCODER}.0") for name in stored)
    found = load_checkpoint(folder / "own").state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    share_weights(folder / "own", str(folder / "base"))  # again
    assert load_file(folder / "own" / WEIGHTS).keys() == stored.keys()


def test_all_weights_may_be_shared(folder):
    shutil.copytree(folder / "base", folder / "copy")
    share_weights(folder / "copy", str(folder / "base"))
    assert not load_file(folder / "copy" / WEIGHTS)
    load_checkpoint(folder / "copy")


def test_whole_modules_are_named_below_a_prefix():
    base = {f"encoder.{n}.{k}": torch.tensor(n) for n in range(3) for k in "ab"}
    weights = {f"uniwav.{name}": value.half() for name, value in base.items()}
    del weights["uniwav.encoder.2.a"], weights["uniwav.encoder.2.b"]
    weights["uniwav.encoder.1.a"] = torch.tensor(7)
    weights["head"] = torch.tensor(1)
    shared = find_shared(weights, base)
    assert shared == ["uniwav.encoder.0", "uniwav.encoder.1.b"]
    left = {name: weights[name] for name in ("uniwav.encoder.1.a", "head")}
    taken = take_shared(shared, base, left)
    assert taken.keys() == weights.keys() - left.keys()
    assert taken.keys() == take_shared(shared, base, {}).keys()


def test_the_base_may_contain_a_model_too():
    base = {name: torch.ones(1) for name in ("uniwav.encoder.a", "head.a", "head.b")}
    weights = {**base, "head.a": torch.zeros(1)}
    shared = find_shared(weights, base)
    assert shared == ["head.b", "uniwav"]
    assert take_shared(shared, base, {}).keys() == {"head.b", "uniwav.encoder.a"}


def test_another_base_is_refused(folder):
    share_weights(folder / "own", str(folder / "base"))
    save_model(folder / "base", decoder=None)
    for read in (read_weights, load_checkpoint):
        with pytest.raises(ValueError, match="own/config.yaml: its other weights are"):
            read(folder / "own")
    change(folder / "own", checkpoint="gone")
    with pytest.raises(FileNotFoundError, match="gone is no UniWav checkpoint"):
        load_checkpoint(folder / "own")
    change(folder / "own", more=1)
    with pytest.raises(ValueError, match="expected base with checkpoint, id, shared"):
        load_checkpoint(folder / "own")


def test_a_base_must_help_and_have_none(folder):
    base = str(folder / "base")
    write_folder(folder / "other", {"x": torch.ones(1)}, {"model": {}})
    with pytest.raises(ValueError, match="no weights are equal"):
        share_weights(folder / "other", base)
    share_weights(folder / "own", base)
    save_model(folder / "third")
    with pytest.raises(ValueError, match="it has a base itself"):
        share_weights(folder / "third", str(folder / "own"))
    with pytest.raises(ValueError, match="other weights are those of"):
        change(folder / "own", checkpoint=str(folder / "own"))
        read_weights(folder / "own")
