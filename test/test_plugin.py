"""Registration: one table, idempotent, before or after the task's import."""

import importlib
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import pytest

from espnet_uniwav import plugin
from espnet_uniwav.core.pretraining import OBJECTIVES


class Base:
    pass


class Ours(Base):
    pass


class Theirs(Base):
    pass


def make_choices(**overrides):
    return SimpleNamespace(
        **{"name": "encoder", "classes": {}, "base_type": Base, **overrides}
    )


@pytest.fixture
def unregistered(monkeypatch):
    finders = [f for f in sys.meta_path if not isinstance(f, plugin._AfterImport)]
    monkeypatch.setattr(sys, "meta_path", finders)


@pytest.fixture
def task(tmp_path, monkeypatch, unregistered):
    """A task module that nobody has imported, and our table for it."""
    name = f"task_of_{tmp_path.name.replace('-', '_')}"
    text = (
        "from types import SimpleNamespace\n"
        "choices = SimpleNamespace(name='encoder', classes={}, base_type=dict)\n"
    )
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    table = {name: (("choices", "uniwav", "collections:OrderedDict"),)}
    monkeypatch.setattr(plugin, "ESPNET", table)
    yield name
    sys.modules.pop(name, None)


def test_registers_before_the_import(task):
    plugin.register()
    assert task not in sys.modules
    module = importlib.import_module(task)
    assert list(module.choices.classes) == ["uniwav"]
    assert module.__spec__.loader.get_source(task).startswith("from types")


def test_registers_after_the_import(task):
    module = importlib.import_module(task)
    assert not module.choices.classes
    plugin.register()
    assert list(module.choices.classes) == ["uniwav"]


def test_registering_again_changes_nothing(task):
    for _ in range(2):
        plugin.register()
    module = importlib.import_module(task)
    plugin.register()
    importlib.reload(module)
    assert len(module.choices.classes) == 1
    assert sum(isinstance(f, plugin._AfterImport) for f in sys.meta_path) == 1


def test_table_of_another_module_is_left_alone(task):
    plugin.register()
    finder = next(f for f in sys.meta_path if isinstance(f, plugin._AfterImport))
    assert finder.find_spec("json.tool") is None


def test_name_taken_by_somebody_else():
    choices = make_choices(classes={"uniwav": Theirs})
    with pytest.raises(ValueError) as error:
        plugin.add_choice(choices, "uniwav", Ours)
    text = str(error.value)
    assert text.startswith("encoder: 'uniwav' is already taken by test_plugin.Theirs")
    assert "remove that registration, or rename ours" in text
    assert choices.classes == {"uniwav": Theirs}


def test_wrong_base_class():
    choices = make_choices()
    with pytest.raises(TypeError, match="encoder: dict must derive from Base"):
        plugin.add_choice(choices, "uniwav", dict)
    assert not choices.classes


def test_choice_without_base_class():
    choices = make_choices(base_type=None)
    plugin.add_choice(choices, "uniwav", dict)
    plugin.add_choice(choices, "uniwav", dict)
    assert choices.classes == {"uniwav": dict}


def test_stock_ssl_task_knows_every_entry():
    pytest.importorskip("espnet2")
    plugin.register()
    ssl = importlib.import_module("espnet2.tasks.ssl")
    plugin.register()
    for choices, name, target in plugin.ESPNET["espnet2.tasks.ssl"]:
        cls = getattr(ssl, choices).get_class(name)
        assert f"{cls.__module__}:{cls.__qualname__}" == target
        assert name in getattr(ssl, choices).choices()
    for name in OBJECTIVES:
        assert ssl.loss_choices.get_class(name).name == name


@pytest.fixture
def hub(tmp_path, monkeypatch, unregistered):
    """A hub that nobody has imported, which needs preparation, and our table for it."""
    name = f"hub_of_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text("import sys\nprepared = sys.prepared_by_us\n")
    (tmp_path / f"ours_{name}.py").write_text(OURS_OF_HUB)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(plugin, "S3PRL", {name: (f"ours_{name}:entry_local",)})
    monkeypatch.setattr(plugin, "BEFORE_IMPORT", {name: f"ours_{name}:prepare"})
    monkeypatch.setattr(sys, "prepared_by_us", 0, raising=False)
    yield name
    for module in (name, f"ours_{name}"):
        sys.modules.pop(module, None)


OURS_OF_HUB = """
import sys

def prepare():
    sys.prepared_by_us += 1

def entry_local():
    pass
"""


def test_hub_is_prepared_before_and_extended_after_its_import(hub):
    plugin.register()
    assert not {hub, f"ours_{hub}"} & set(sys.modules)
    module = importlib.import_module(hub)
    assert module.prepared == 1
    assert module.entry_local is sys.modules[f"ours_{hub}"].entry_local
    plugin.register()
    assert module.entry_local is sys.modules[f"ours_{hub}"].entry_local


def test_hub_that_was_imported_before(hub):
    module = importlib.import_module(hub)
    assert not hasattr(module, "entry_local")
    plugin.register()
    assert module.entry_local.__name__ == "entry_local"
    assert sys.prepared_by_us == 1


def test_name_of_the_hub_taken_by_somebody_else(hub):
    module = importlib.import_module(hub)
    for theirs, shown in ((Theirs, "test_plugin.Theirs"), (partial(Theirs), "functoo")):
        module.entry_local = theirs
        with pytest.raises(ValueError) as error:
            plugin.register()
        text = f"{hub}: 'entry_local' is already taken by {shown}"
        assert str(error.value).startswith(text)
        assert module.entry_local is theirs


def test_every_entry_of_s3prl_exists():
    pytest.importorskip("s3prl")
    for target in (*plugin.S3PRL["s3prl.hub"], *plugin.BEFORE_IMPORT.values()):
        assert callable(plugin._load(target))


@pytest.mark.integration
def test_print_config_shows_our_choices():
    command = [sys.executable, "-m", "espnet_uniwav.run", "-m", "espnet2.bin.ssl_train"]
    options = ["--frontend", "uniwav", "--encoder", "uniwav", "--model", "uniwav"]
    result = subprocess.run(
        [*command, "--print_config", *options],
        capture_output=True,
        text=True,
        check=True,
    )
    for line in ("frontend: uniwav", "encoder: uniwav", "model: uniwav"):
        assert line in result.stdout
    for default in ("num_layers: 12", "position: conv_alibi", "features: log_mel"):
        assert default in result.stdout
