"""Names of checkpoints, what they find, and tensors that are refused."""

import pytest
import torch
import yaml
from factories import make_config, make_model, save_model
from safetensors.torch import load_file, save_file

from espnet_uniwav.core.checkpoint import (
    load_checkpoint,
    save_checkpoint,
    untrained_model,
)
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.io import folder as storage
from espnet_uniwav.io.folder import (
    find_folder,
    find_local,
    packaged_models,
    read_config,
)


def same(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_a_packaged_model_by_its_name(packaged, tmp_path):
    folder = tmp_path / "models/tiny-test"
    assert packaged_models() == {"tiny-test": folder}
    assert find_folder("tiny-test") == find_local("tiny-test") == folder
    assert read_config("tiny-test")["model"] == make_config()
    assert same(load_checkpoint("tiny-test"), packaged)
    assert same(UniWav.from_pretrained("tiny-test", packaged.features.spec), packaged)
    assert same(untrained_model("tiny-test", 1), untrained_model(folder, 1))


def test_a_folder_comes_before_a_packaged_model(packaged, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = save_model("tiny-test", decoder=None)
    assert same(load_checkpoint("tiny-test"), mine)


def test_a_file_of_that_name_is_no_folder(packaged, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny-test").touch()
    assert same(load_checkpoint("tiny-test"), packaged)


def test_an_unknown_name_lists_the_known_ones(packaged, tmp_path, monkeypatch):
    message = "tinny is no UniWav checkpoint: there is no such folder.* are: tiny-test$"
    for call in (find_folder, read_config, load_checkpoint, untrained_model):
        with pytest.raises(FileNotFoundError, match=message):
            call("tinny")
    assert find_local("tinny") is None
    monkeypatch.setattr(storage, "PACKAGED", tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match="are: none$"):
        find_folder("tiny-test")


def test_what_is_on_this_machine_asks_no_hub_for_a_download(tmp_path, monkeypatch):
    save_model(tmp_path / "cached")
    asked = []

    def download(name, allow_patterns, local_files_only=False):
        asked.append(local_files_only)
        if name != "owner/model":
            raise OSError("not there")
        return str(tmp_path / "cached")

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert find_local("owner/model") == tmp_path / "cached"
    assert find_local("exp/gone") is None
    (tmp_path / "cached/model.safetensors").unlink()
    assert find_local("owner/model") is None
    assert asked == [True] * 3
    assert find_local(tmp_path / "gone") is None


@pytest.mark.parametrize("name", ("own er/model", "owner/model--x", "-/-"))
def test_a_name_that_the_hub_refuses(name):
    with pytest.raises(FileNotFoundError, match="is no local folder, and nothing"):
        find_folder(name)


@pytest.fixture
def folder(tmp_path):
    save_model(tmp_path)
    return tmp_path


NAME = "encoder.input_projection.weight"


@pytest.mark.parametrize(
    ("change", "words"),
    (
        (lambda w: w.to(torch.int8), "expected torch.float32, found torch.int8"),
        (lambda w: w > 0, "expected torch.float32, found torch.bool"),
        (lambda w: w.where(w != w[0, 0], float("nan")), "NaN or infinite: {}: 1 of"),
        (lambda w: w.where(w != w[0, 0], float("-inf")), "NaN or infinite: {}: 1 of"),
    ),
)
def test_tensors_that_are_no_weights(folder, change, words):
    path = folder / "model.safetensors"
    weights = load_file(path)
    weights[NAME] = change(weights[NAME])
    save_file(weights, path)
    with pytest.raises(ValueError, match=words.format(NAME)) as error:
        load_checkpoint(folder)
    assert NAME in str(error.value) and str(error.value).count("\n") == 1


def test_a_number_of_frames_that_is_not_whole(folder):
    path, name = folder / "model.safetensors", "decoder.precondition.num_frames"
    weights = load_file(path)
    weights[name] = weights[name].float()
    save_file(weights, path)
    with pytest.raises(ValueError, match=f"{name}: expected torch.int64, found .*32"):
        load_checkpoint(folder)


def test_weights_that_are_cut_off(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ValueError, match="model.safetensors is damaged .*make it"):
        load_checkpoint(folder)


def test_weights_of_another_export_are_refused(folder, tmp_path):
    """What a process leaves that is killed between the two files."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    model = make_model()
    model.encoder.mask_embedding.data += 1
    save_checkpoint(model, make_config(), folder)
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    for old, new in ((before, after), (after, before)):
        (folder / "config.yaml").write_bytes(old["config.yaml"])
        (folder / "model.safetensors").write_bytes(new["model.safetensors"])
        with pytest.raises(ValueError, match="files are of two exports.*export again"):
            load_checkpoint(folder)
    save_checkpoint(model, make_config(), folder)
    assert load_checkpoint(folder)
    assert (folder / "config.yaml").read_bytes() == after["config.yaml"]


def test_folders_without_an_id_are_accepted(folder):
    """Those of older versions, and weights that another program wrote."""
    weights, config = folder / "model.safetensors", folder / "config.yaml"
    save_file(load_file(weights), weights)
    assert load_checkpoint(folder)
    content = yaml.safe_load(config.read_text())
    del content["id"]
    config.write_text(yaml.safe_dump(content))
    assert load_checkpoint(folder)


def test_who_may_read_the_configuration_may_read_the_weights(folder):
    config, weights = folder / "config.yaml", folder / "model.safetensors"
    assert weights.stat().st_mode == config.stat().st_mode
