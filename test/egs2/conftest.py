import importlib.util
import sys

import pytest
from factories import ROOT


@pytest.fixture
def script(monkeypatch):
    """Imports a recipe's own script by its path in ``egs2``."""

    def load(name):
        path = ROOT / "egs2" / name
        monkeypatch.syspath_prepend(str(path.parent))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, path.stem, module)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def run_script(script, monkeypatch, capsys):
    """Runs a recipe's own script in this process, and returns what it prints."""

    def run(name, *argv):
        module = script(name)
        monkeypatch.setattr(sys, "argv", [name, *map(str, argv)])
        module.main()
        return capsys.readouterr().out

    return run
