"""Checkpoints: equality, strictness, no pickle."""

import pickle

import pytest
import torch
import yaml
from factories import (
    NUM_MELS,
    Canary,
    make_config,
    make_features,
    make_model,
    save_model,
)
from safetensors.torch import load_file, save_file

from espnet_uniwav.core.card import read_card, write_card
from espnet_uniwav.core.checkpoint import (
    load_checkpoint,
    save_checkpoint,
    untrained_model,
)
from espnet_uniwav.io.folder import read_config


@pytest.fixture
def folder(tmp_path):
    model = make_model()
    save_checkpoint(model, make_config(), tmp_path / "a/b", {"updates": 7})
    return tmp_path / "a/b"


def edit(path, change):
    weights = load_file(path)
    change(weights)
    save_file(weights, path)


def edit_config(path, change):
    config = yaml.safe_load(path.read_text())
    change(config)
    path.write_text(yaml.safe_dump(config))


@pytest.mark.parametrize("decoder", (True, False))
def test_loaded_model_equals_the_saved_one(tmp_path, decoder):
    overrides = {} if decoder else {"decoder": None}
    config = make_config(**overrides)
    model = make_model(**overrides)
    save_checkpoint(model, config, tmp_path)
    loaded = load_checkpoint(tmp_path)
    assert not loaded.training
    assert loaded.features.spec == model.features.spec
    for (name, a), (other, b) in zip(
        model.state_dict().items(), loaded.state_dict().items()
    ):
        assert name == other and torch.equal(a, b)
    x = torch.randn(1, 12, NUM_MELS)
    for a, b in zip(model.hidden_states(x), loaded.hidden_states(x)):
        assert torch.equal(a, b)
    assert (loaded.decoder is not None) == decoder


def test_kept_frames_travel(tmp_path):
    config = make_config(kept_frames="path")
    save_checkpoint(make_model(kept_frames="path"), config, tmp_path)
    assert load_checkpoint(tmp_path).kept_frames == "path"


def test_config_holds_spec_and_notes(folder):
    config = read_config(folder)
    assert config["about"] == {"updates": 7}
    assert config["feature_spec"]["hop_length"] == 320
    assert config["model"] == make_config()


def test_missing_extra_and_misshapen_tensors_are_listed(folder):
    def spoil(weights):
        del weights["encoder.mask_embedding"]
        weights["encoder.stranger"] = torch.zeros(1)
        weights["two\nlines"] = torch.zeros(1)
        weights["weighted_sum.logits"] = torch.zeros(9)

    edit(folder / "model.safetensors", spoil)
    with pytest.raises(ValueError) as error:
        load_checkpoint(folder)
    text = str(error.value)
    assert "model.safetensors does not fit" in text
    assert "missing: encoder.mask_embedding" in text
    assert "extra: encoder.stranger" in text
    assert "misshapen: weighted_sum.logits: expected (4,), found (9,)" in text
    assert r"extra: two\nlines" in text
    assert text.count("\n") == 4


def test_other_configuration_is_refused(folder):
    change = {"num_layers": 2}
    edit_config(folder / "config.yaml", lambda c: c["model"]["encoder"].update(change))
    with pytest.raises(ValueError, match=r"extra: encoder.transformer.layers.2\."):
        load_checkpoint(folder)


def test_spec_that_is_not_that_of_the_configuration_is_refused(folder):
    change = {"mean": [-4.0]}
    edit_config(folder / "config.yaml", lambda c: c["feature_spec"].update(change))
    with pytest.raises(ValueError, match=r"mean: expected \[-4.0\], found \[-5.\d+\]"):
        load_checkpoint(folder)


def test_spec_that_the_caller_expects(folder):
    load_checkpoint(folder, make_features().spec)
    expected = make_features(frame_rate=100).spec
    with pytest.raises(ValueError, match="hop_length: expected 160, found 320"):
        load_checkpoint(folder, expected)


@pytest.mark.parametrize("name", ("config.yaml", "model.safetensors"))
def test_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"{name} is missing: .*uniwav export"):
        load_checkpoint(folder)


def test_pickle_is_not_executed(folder, tmp_path):
    trap = tmp_path / "trap"
    payload = pickle.dumps(Canary(trap))
    (folder / "model.safetensors").write_bytes(payload)
    (folder / "model.pth").write_bytes(payload)
    with pytest.raises(Exception):
        load_checkpoint(folder)
    torch.save(Canary(trap), folder / "model.safetensors")
    with pytest.raises(Exception):
        load_checkpoint(folder)
    assert not trap.exists()
    pickle.loads(payload)
    assert trap.exists()


def test_yaml_is_not_executed(folder, tmp_path):
    trap = tmp_path / "trap"
    text = f"model: !!python/object/apply:os.mkdir ['{trap}']\n"
    (folder / "config.yaml").write_text(text)
    with pytest.raises(ValueError, match="could not determine a constructor"):
        load_checkpoint(folder)
    assert not trap.exists()


def test_an_untrained_model_depends_on_its_seed_alone(tmp_path):
    model = save_model(tmp_path)
    before = torch.get_rng_state()
    first, again, other = (untrained_model(tmp_path, s) for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    weights = [m.encoder.input_projection.weight for m in (first, again, other, model)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert not torch.equal(weights[0], weights[3])
    assert weights[0].shape == weights[3].shape
    assert not first.training


def test_the_hub(tmp_path, monkeypatch):
    model = save_model(tmp_path / "there")
    asked = []

    def download(name, allow_patterns):
        asked.append((name, allow_patterns))
        if name != "owner/model":
            raise OSError("404 no such repository\nmore")
        return str(tmp_path / "there")

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    found = load_checkpoint("owner/model")
    assert asked == [("owner/model", ["config.yaml", "model.safetensors", "files/*"])]
    for name, value in model.state_dict().items():
        assert torch.equal(found.state_dict()[name], value)
    with pytest.raises(
        FileNotFoundError, match="nobody/nothing is no local folder.*404"
    ):
        load_checkpoint("nobody/nothing")
    for name in ("./nowhere", "/tmp/nowhere", "a/b/c", "nowhere", "nowhere/"):
        with pytest.raises(FileNotFoundError, match="is no UniWav checkpoint"):
            load_checkpoint(name)
    assert len(asked) == 2


def test_model_card(tmp_path):
    about = {"experiment": "exp/x", "updates": 7, "training": {"lr": 1}}
    save_checkpoint(make_model(), make_config(), tmp_path, about)
    card = write_card(tmp_path, "two hours", "cc-by-4.0", metrics="| WER | 3 |")
    head, body = card.read_text().split("---\n")[1:]
    assert yaml.safe_load(head)["license"] == "cc-by-4.0"
    for part in (
        "on two hours",
        "| WER | 3 |",
        "UniWav.from_pretrained(",
        "updates: 7",
    ):
        assert part in body
    assert "lr: 1" not in body and "num_layers: 3" in body
    assert load_checkpoint(tmp_path)


def test_model_card_of_a_packaged_model(tmp_path):
    save_model(tmp_path)
    corpora = (
        "| corpus | hours | licence | source |\n|---|---|---|---|\n| A | 3 | CC0 | x |"
    )
    data = f"three hours\nof English speech.\n\n{corpora}\n"
    write_card(tmp_path, data, "cc-by-4.0", name="tiny-test", limits="No children.")
    head, text = read_card(tmp_path)
    assert head["trained_on"] == "three hours of English speech"
    assert head["license"] == "cc-by-4.0"
    assert "espnet_uniwav on three hours of English speech.\n" in text
    assert 'UniWav.from_pretrained("tiny-test")' in text
    sections = dict(part.split("\n", 1) for part in text.split("## ")[1:])
    assert corpora in sections["Training data"]
    assert "No children." in sections["Intended use and limits"]
    assert "consent" in sections["Responsible use"]
    (tmp_path / "README.md").unlink()
    with pytest.raises(FileNotFoundError, match="README.md is missing.*--licence"):
        read_card(tmp_path)


def test_half_is_half_the_size_and_loads_in_fp32(tmp_path):
    model = make_model()
    for name, half in (("full", False), ("half", True)):
        save_checkpoint(model, make_config(), tmp_path / name, half=half)
    full, half = (tmp_path / name / "model.safetensors" for name in ("full", "half"))
    stored = load_file(half)
    assert half.stat().st_size < 0.6 * full.stat().st_size
    loaded = load_checkpoint(tmp_path / "half").state_dict()
    buffers = dict(model.named_buffers())
    for name, value in model.state_dict().items():
        assert loaded[name].dtype == value.dtype
        if name in buffers:
            assert stored[name].dtype == value.dtype
            assert torch.equal(loaded[name], value)
        else:
            assert stored[name].dtype == torch.float16
            assert torch.equal(loaded[name], value.half().float())
    assert {"precondition.mean"} < {n.removeprefix("decoder.") for n in buffers}


def test_half_is_strict_too(tmp_path):
    save_checkpoint(make_model(), make_config(), tmp_path, half=True)

    def spoil(weights):
        weights["encoder.mask_embedding"][0] = float("inf")

    edit(tmp_path / "model.safetensors", spoil)
    with pytest.raises(ValueError, match="infinite: encoder.mask_embedding: 1 of"):
        load_checkpoint(tmp_path)


def test_half_refuses_what_it_cannot_hold(tmp_path):
    model = make_model()
    model.encoder.mask_embedding.data[0] = 7e4
    save_checkpoint(model, make_config(), tmp_path)
    message = "encoder.mask_embedding: expected .*65504.*found 70000; .*without --half"
    with pytest.raises(ValueError, match=message):
        save_checkpoint(model, make_config(), tmp_path, half=True)
    assert load_checkpoint(tmp_path).encoder.mask_embedding[0] == 7e4
