"""Weights of strangers: nothing in them is executed."""

import os

import pytest
import torch
from factories import Canary

from espnet_uniwav.integrations.espnet.recogniser import FORCE, weights_alone
from espnet_uniwav.io.saved import read_saved, read_state


def test_a_pickle_does_not_run(tmp_path):
    sung, path = tmp_path / "sung", tmp_path / "model.pth"
    torch.save({"weight": torch.ones(2), "more": Canary(sung)}, path)
    with pytest.raises(ValueError, match="model.pth: expected weights alone"):
        read_saved(path)
    with weights_alone(), pytest.raises(Exception, match="[Ww]eights"):
        torch.load(path, weights_only=False)
    assert not sung.exists() and FORCE not in os.environ
    torch.load(path, weights_only=False)
    assert sung.exists()  # the canary can sing


def test_weights_are_found_in_what_a_training_saves(tmp_path):
    weights = {"weight": torch.ones(2)}
    for saved in (weights, {"model": weights, "epoch": 3}, {"module": weights}):
        torch.save(saved, tmp_path / "model.pth")
        assert list(read_state(tmp_path / "model.pth")) == ["weight"]


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"\x80\x02}q\0.", b"x" * 99])
def test_damaged_files_are_named(tmp_path, content):
    (tmp_path / "model.pth").write_bytes(content)
    if content.startswith(b"\x80"):
        content = torch.save([1], tmp_path / "model.pth")
    with pytest.raises(ValueError, match="model.pth: expected weights"):
        read_state(tmp_path / "model.pth")


def test_what_is_no_tensor_is_refused(tmp_path):
    torch.save({"weight": 1.0}, tmp_path / "model.pth")
    with pytest.raises(ValueError, match="expected tensors alone"):
        read_state(tmp_path / "model.pth")
