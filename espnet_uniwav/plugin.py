"""One table of what is registered where, in ESPnet2's own tasks."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import sys

# module of the task -> (its ClassChoices, our name, our class)
ESPNET = {
    "espnet2.tasks.ssl": (
        ("frontend_choices", "uniwav", "espnet_uniwav.tasks.ssl:UniWavFrontend"),
        ("encoder_choices", "uniwav", "espnet_uniwav.tasks.ssl:UniWavEncoder"),
        ("model_choices", "uniwav", "espnet_uniwav.tasks.ssl:UniWavSSLModel"),
        ("loss_choices", "dinosr", "espnet_uniwav.tasks.ssl:DinoSRLoss"),
        ("loss_choices", "flow_matching", "espnet_uniwav.tasks.ssl:FlowMatchingLoss"),
        ("util_choices", "span_mask", "espnet_uniwav.ssl.mask:SpanMask"),
    ),
}


def register() -> None:
    """Register everything, now or as soon as ESPnet imports the module.

    Costs nothing until then, and may be called any number of times.

    Raises:
        ValueError: If a name is already taken by somebody else.
        TypeError: If a class does not derive from what the task expects.
    """
    if not any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterImport())
    for name in ESPNET:
        module = sys.modules.get(name)
        if module is not None and not getattr(module.__spec__, "_initializing", False):
            add_choices(module)


def add_choices(module) -> None:
    """Add our classes to the ClassChoices of one imported task module."""
    for choices_name, name, target in ESPNET[module.__name__]:
        add_choice(getattr(module, choices_name), name, _load(target))


def add_choice(choices, name: str, cls: type) -> None:
    """Add one class to one ``ClassChoices``; see ``register`` for the errors."""
    taken = choices.classes.get(name)
    if taken is cls:
        return
    if taken is not None:
        raise ValueError(
            f"{choices.name}: {name!r} is already taken by {taken.__module__}."
            f"{taken.__qualname__}: remove that registration, or rename ours in "
            "espnet_uniwav/plugin.py"
        )
    if choices.base_type is not None and not issubclass(cls, choices.base_type):
        raise TypeError(
            f"{choices.name}: {cls.__qualname__} must derive from "
            f"{choices.base_type.__qualname__}"
        )
    choices.classes[name] = cls


def _load(target: str) -> type:
    module, name = target.split(":")
    return getattr(importlib.import_module(module), name)


class _AfterImport(importlib.abc.MetaPathFinder):
    """Lets the ordinary finders find a task module and acts after it has run."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname not in ESPNET:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = _ThenRegister(spec.loader)
                return spec
        return None


class _ThenRegister(importlib.abc.Loader):
    """A loader that adds our choices behind the execution of the module."""

    def __init__(self, loader):
        self._loader = loader

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        self._loader.exec_module(module)
        add_choices(module)
