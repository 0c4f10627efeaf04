"""Weights that a checkpoint shares with another, its base: it names them instead."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

# Before the names of a pre-trained model's tensors in the models that contain it.
PREFIX = "uniwav."


def find_shared(weights: dict[str, Tensor], base: dict[str, Tensor]) -> list[str]:
    """Find the tensors that a base has too, with equal values.

    Args:
        weights: Name -> tensor.
        base: The same of the base.

    Returns:
        Names of tensors and of whole modules, as few as possible, for ``take_shared``.
    """
    base = _renamed(base, weights)
    equal = {k for k, v in weights.items() if k in base and _is_equal(v, base[k])}
    different = (weights.keys() | base.keys()) - equal
    modules = {part for name in different for part in _modules(name)}
    return sorted({_first_outside(name, modules) for name in equal})


def take_shared(
    names: Iterable[str], base: dict[str, Tensor], weights: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Tensors of a base, by the names that ``find_shared`` gave them.

    Args:
        names: Of tensors and modules.
        base: Name -> tensor of the base.
        weights: What the checkpoint has of its own.
    """
    names = set(names)
    return {
        name: value
        for name, value in _renamed(base, weights | dict.fromkeys(names)).items()
        if names.intersection([name, *_modules(name)])
    }


def _renamed(base: dict[str, Tensor], weights: Iterable[str]) -> dict[str, Tensor]:
    """A base's tensors as a model names them that may contain it."""
    prefix = PREFIX if _has_prefix(weights) and not _has_prefix(base) else ""
    return {prefix + name: value for name, value in base.items()}


def _has_prefix(names: Iterable[str]) -> bool:
    return any(name.startswith(PREFIX) for name in names)


def _is_equal(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a.float(), b.float())


def _modules(name: str) -> list[str]:
    """Names of the modules that contain a tensor, from the outermost."""
    parts = name.split(".")
    return [".".join(parts[:number]) for number in range(1, len(parts))]


def _first_outside(name: str, modules: set[str]) -> str:
    """The outermost module of a tensor that is none of these, or the tensor."""
    return next((own for own in _modules(name) if own not in modules), name)
