"""Wheel and source archive, made of a copy without git: models and templates inside."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tarfile
from configparser import ConfigParser

import pytest
from factories import ROOT, make_config, make_model

from espnet_uniwav import load
from espnet_uniwav.core.card import read_card, write_card
from espnet_uniwav.core.checkpoint import save_checkpoint
from espnet_uniwav.io.folder import packaged_models, read_config

MAX_BYTES = 25e6  # of a model: it is a part of every clone and wheel
VOICE_BYTES = 40e6  # with text encoder and predictor of durations
FILES = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")
EXPECTED = {
    *(f"models/tiny-test/{name}" for name in ("config.yaml", "model.safetensors")),
    "models/tiny-test/README.md",
    "models/tiny-test/files/voice.wav",
    "lab/report/report.html.jinja",
    "integrations/espnet3/conf/training.yaml",
}
# import -> package, where they differ
PACKAGES = {
    "espnet2": "espnet",
    "espnet3": "espnet",
    "g2p_en": "espnet-g2p-en",
    "hydra": "hydra-core",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
USE = """
import sys
from pathlib import Path

import espnet_uniwav
from espnet_uniwav.core.model import UniWav

model = UniWav.from_pretrained("tiny-test")
print(Path(espnet_uniwav.__file__).parent)
print(sum(p.numel() for p in model.parameters()))
"""


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """The files that setuptools reads, and one model more."""
    folder = tmp_path_factory.mktemp("sources")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "espnet_uniwav", folder / "espnet_uniwav", ignore=ignored)
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    model = folder / "espnet_uniwav/models/tiny-test"
    save_checkpoint(make_model(), make_config(), model, half=True)
    write_card(model, "nothing", "cc0-1.0")
    (model / "files").mkdir()
    (model / "files/voice.wav").touch()
    return folder


@pytest.mark.parametrize("name", sorted(packaged_models()))
def test_what_comes_with_the_package(name):
    folder = packaged_models()[name]
    kind = read_config(folder)["kind"]
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert size <= (VOICE_BYTES if kind == "synthesiser" else MAX_BYTES)
    assert type(load(name)).__name__ in (folder / "README.md").read_text()
    head, text = read_card(folder)
    assert head["license"] and head["trained_on"]
    assert f'from_pretrained("{name}")' in text
    config = (folder / "config.yaml").read_text(encoding="utf-8")
    assert not re.findall(r"/(?:home|root|work|tmp)/.*", config)


@pytest.mark.integration
def test_an_installed_wheel_holds_the_models(sources, tmp_path):
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    options = ["--no-deps", "--no-index"]
    build = [*options, "--no-build-isolation", "-w", str(tmp_path / "wheel")]
    run(*pip, "wheel", *build, str(sources))
    (wheel,) = (tmp_path / "wheel").iterdir()
    target = tmp_path / "installed"
    run(*pip, "install", *options, "--target", str(target), str(wheel))
    package = target / "espnet_uniwav"
    assert all((package / name).is_file() for name in EXPECTED)
    env = {**os.environ, "PYTHONPATH": str(target)}
    place = dict(cwd=tmp_path, env=env)
    where, number = run(sys.executable, "-c", USE, **place).split()
    assert where == str(package)
    assert int(number) == sum(p.numel() for p in make_model().parameters())
    listed = run(str(target / "bin/uniwav"), "models", **place).splitlines()
    (line,) = (line for line in listed if line.startswith("tiny-test: "))
    assert line.endswith(" MB, trained on nothing; cc0-1.0")


@pytest.mark.integration
def test_the_source_archive_holds_the_models(sources, tmp_path):
    build = "import setuptools.build_meta as b, sys; b.build_sdist(sys.argv[1])"
    run(sys.executable, "-c", build, str(tmp_path), cwd=sources)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {name.partition("/espnet_uniwav/")[2] for name in tar.getnames()}
    assert EXPECTED <= names


def imported(path):
    """What is not ours, and imported by a module or one of its functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) else []
        for name in {name.split(".")[0] for name in names} - {"espnet_uniwav"}:
            if name not in sys.stdlib_module_names:
                yield PACKAGES.get(name, name).lower().replace("_", "-")


@pytest.fixture
def metadata():
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config


def test_what_is_imported_is_declared(metadata):
    needed = metadata["options"]["install_requires"]
    extras = metadata["options.extras_require"].values()
    lines = "\n".join([needed, *extras]).strip().splitlines()
    names = {re.split("[<>=!;]", line)[0].strip() for line in lines}
    declared = {name.lower().replace("_", "-") for name in names}
    modules = (ROOT / "espnet_uniwav").rglob("*.py")
    found = {name for path in modules for name in imported(path)}
    assert {"torch", "espnet", "scikit-learn", "nltk"} <= found <= declared


def test_what_stock_trainings_import_is_asked_for(metadata):
    """ESPnet draws curves and computes error rates by packages of its extras."""
    needed = metadata["options"]["install_requires"].split()
    assert {"editdistance", "matplotlib", "tensorboard"} <= set(needed)


def test_pythons_of_the_metadata(metadata):
    classifiers = metadata["metadata"]["classifiers"]
    found = re.findall(r"Python :: (3\.\d+)", classifiers)
    assert found == ["3.10", "3.11", "3.12", "3.13"]
    assert metadata["options"]["python_requires"] == ">=3.10,<3.14"
    ruff = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'target-version = "py310"' in ruff
