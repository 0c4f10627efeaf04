"""Configuration files that include another one, so that an ablation is one line."""

from __future__ import annotations

from pathlib import Path

import yaml

from espnet_uniwav.io.input import error_context, is_there, read_yaml

DEEPEST = 20


def resolve(path: str | Path, depth: int = 0) -> dict:
    """Read a yaml file; ``include: FILE`` is replaced by the content of that file.

    Mappings are merged key by key, and lists of ``{name: ..., conf: ...}`` (ESPnet's
    ``loss`` and ``util``) entry by entry; ``conf: null`` removes the entry. Anything
    else replaces what was included.

    Args:
        path: File; what it includes is relative to it.
        depth: Number of includes above this file.

    Raises:
        FileNotFoundError: If it or an included file is missing.
        ValueError: If it is not a mapping, or includes itself.
    """
    path = Path(path)
    if not is_there(path):
        raise FileNotFoundError(f"{path} is missing: name a configuration file")
    own = read_yaml(path)
    included = own.pop("include", None)
    if included is None:
        return own
    if not isinstance(included, str) or depth == DEEPEST:
        raise ValueError(
            f"{path}: include: expected a file, and at most {DEEPEST} that include "
            f"each other, found {included!r}"
        )
    with error_context(path):
        return merge(resolve(path.parent / included, depth + 1), own)


def show(config: str | Path) -> str:
    """The resolved content of a file as yaml; see ``resolve``.

    Args:
        config: Configuration file, conf/*.yaml.
    """
    return yaml.safe_dump(resolve(config), sort_keys=False).rstrip("\n")


def merge(base, change):
    """Apply a change to a base, see ``resolve``."""
    if isinstance(base, dict) and isinstance(change, dict):
        merged = dict(base)
        for key, value in change.items():
            merged[key] = merge(base[key], value) if key in base else value
        return merged
    if _is_named(base) and _is_named(change):
        named = {entry["name"]: entry for entry in base}
        for entry in change:
            named[entry["name"]] = merge(named.get(entry["name"], {}), entry)
        return [entry for entry in named.values() if entry.get("conf", {}) is not None]
    return change


def _is_named(value) -> bool:
    return isinstance(value, list) and all(
        isinstance(entry, dict) and "name" in entry for entry in value
    )
