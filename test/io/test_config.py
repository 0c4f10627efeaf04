"""Includes and merges of configuration files."""

import pytest
import yaml
from factories import ROOT

from espnet_uniwav.io.config import resolve

CONF = ROOT / "egs2/mini_speech/ssl1/conf"


def test_an_included_file_is_merged_by_key_and_by_name(tmp_path):
    base = {"a": {"x": 1, "y": 2}, "loss": [{"name": "p", "conf": {"k": 1}}]}
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(base))
    change = {
        "include": "base.yaml",
        "a": {"y": 3},
        "loss": [{"name": "p", "conf": {"l": 2}}, {"name": "q"}],
    }
    (tmp_path / "change.yaml").write_text(yaml.safe_dump(change))
    assert resolve(tmp_path / "change.yaml") == {
        "a": {"x": 1, "y": 3},
        "loss": [{"name": "p", "conf": {"k": 1, "l": 2}}, {"name": "q"}],
    }


def test_a_null_conf_removes_an_entry():
    base = resolve(CONF / "tuning/train_tiny_40min.yaml")
    flow = resolve(CONF / "tuning/train_tiny_flow.yaml")
    assert [entry["name"] for entry in flow["loss"]] == ["flow_matching"]
    assert {**flow, "loss": None} == {**base, "loss": None}


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda p: p.stem)
def test_every_conf_of_the_recipe_resolves_and_opens_with_one_line(path):
    assert path.read_text().startswith("# ")
    assert resolve(path)["model"] == "uniwav"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.yaml"):
        resolve(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("included", ["a.yaml", "[1]", "1", "{}"])
def test_includes_that_never_end(tmp_path, included):
    (tmp_path / "a.yaml").write_text(f"include: {included}\n")
    with pytest.raises(
        ValueError, match="a.yaml: include: expected a file, and at most"
    ):
        resolve(tmp_path / "a.yaml")
