"""Checkpoint folders, cards and sizes as fairseq2 sees them."""

import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from importlib.metadata import entry_points

import pytest
import torch
import yaml
from factories import ROOT, make_config, save_model

pytest.importorskip("fairseq2.models")

from fairseq2 import init_fairseq2  # noqa: E402
from fairseq2.io import TensorFileDumper  # noqa: E402
from fairseq2.models import load_model  # noqa: E402
from fairseq2.runtime.dependency import get_dependency_resolver  # noqa: E402

from espnet_uniwav import load_checkpoint  # noqa: E402
from espnet_uniwav.integrations.fairseq2.checkpoint import (  # noqa: E402
    get_uniwav_hub,
    load_folder,
    write_asset_card,
)
from espnet_uniwav.integrations.fairseq2.config import UniWavConfig  # noqa: E402
from espnet_uniwav.io.folder import share_weights  # noqa: E402


@pytest.fixture(autouse=True, scope="module")
def registered():
    """fairseq2, which must find our entry point and run it without an error."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAIRSEQ2_EXTENSION_TRACE", "1")
        try:
            yield init_fairseq2(no_progress=True)
        except Exception as error:  # initialised by another module
            if "already" not in str(error):
                raise
            yield get_dependency_resolver()


@pytest.fixture
def folder(tmp_path):
    save_model(tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def assert_same_states(found, expected, speech):
    """Weights and states are equal, bit for bit."""
    weights = expected.state_dict()
    assert found.state_dict().keys() == weights.keys()
    for name, value in found.state_dict().items():
        assert torch.equal(value, weights[name]), name
    x, _ = expected.features.extract(*speech)
    with torch.no_grad():
        pairs = zip(found.eval().hidden_states(x), expected.hidden_states(x))
        assert all(torch.equal(a, b) for a, b in pairs)


def test_the_entry_point_is_ours():
    (entry,) = entry_points(group="fairseq2.extension")
    assert entry.value == "espnet_uniwav.integrations.fairseq2.extension:register"


def test_the_packaged_model_loads_by_its_card(speech):
    found, expected = load_model("uniwav_small"), load_checkpoint("small")
    assert_same_states(found, expected, speech)


def test_a_folder_loads_by_path(folder, speech):
    assert_same_states(load_folder(folder), load_checkpoint(folder), speech)


def test_a_folder_loads_by_a_card_of_ones_own(folder, speech, tmp_path):
    (tmp_path / "cards").mkdir()
    write_asset_card(folder, "mine", tmp_path / "cards/mine.yaml")
    code = (
        "import sys, torch; from fairseq2 import init_fairseq2; init_fairseq2();"
        "from fairseq2.models import load_model;"
        "torch.save(load_model('mine').state_dict(), sys.argv[1])"
    )
    run(tmp_path, "-c", code, str(tmp_path / "weights.pt"))
    weights = torch.load(tmp_path / "weights.pt", weights_only=True)
    for name, value in load_checkpoint(folder).state_dict().items():
        assert torch.equal(weights[name], value), name


def run(folder, *options):
    """Output of a Python process for which the cards of a folder are known."""
    environment = {
        **os.environ,
        "FAIRSEQ2_USER_ASSET_DIR": str(folder / "cards"),
        "FAIRSEQ2_EXTENSION_TRACE": "1",
        "PYTHONPATH": str(ROOT),
    }
    ended = subprocess.run(
        [sys.executable, *options],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout


def test_the_asset_command_lists_the_packaged_models(tmp_path):
    listed = run(tmp_path, "-m", "fairseq2.assets", "list", "--kind", "model")
    assert "model:uniwav_small" in listed


def test_what_fairseq2_saves_loads_back(registered, folder, speech, tmp_path):
    dumper = registered.resolve(TensorFileDumper)
    dumper.dump(load_folder(folder).state_dict(), tmp_path / "saved.pt")
    config = UniWavConfig(**make_config())
    found = get_uniwav_hub().load_custom_model(tmp_path / "saved.pt", config)
    assert_same_states(found, load_checkpoint(folder), speech)


def test_a_missing_tensor_is_an_error(folder):
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    weights.pop("encoder.mask_embedding")
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(Exception, match="not compatible with the uniwav model"):
        load_folder(folder)


def test_another_kind_of_model_has_no_card(folder):
    path = folder / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["kind"] = "vocoder"
    path.write_text(yaml.safe_dump(config))
    with pytest.raises(ValueError, match="is a vocoder"):
        load_folder(folder)


def test_weights_of_another_file_are_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "base")
    share_weights(folder, str(tmp_path / "base"))
    with pytest.raises(ValueError, match="fairseq2 reads a single file"):
        load_folder(folder)


@pytest.mark.parametrize("size", ["tiny", "base", "large"])
def test_sizes_are_those_of_the_recipes(size):
    conf = ROOT / f"egs2/mini_speech/ssl1/conf/train_{size}.yaml"
    conf = yaml.safe_load(conf.read_text())
    losses = {loss["name"]: loss["conf"] for loss in conf["loss"]}
    found = get_uniwav_hub().get_arch_config(size)
    assert found.encoder == conf["encoder_conf"]
    assert found.decoder == losses["flow_matching"]["decoder"]


def test_small_is_the_packaged_model():
    hub = get_uniwav_hub()
    assert hub.get_archs() == {"tiny", "small", "base", "large"}
    found = asdict(hub.get_arch_config("small"))
    assert found == asdict(hub.get_model_config("uniwav_small"))
    assert found == asdict(UniWavConfig(**found))
