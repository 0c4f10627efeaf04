"""Configuration files that include another one, so that an ablation is one line."""

from __future__ import annotations

from pathlib import Path

import yaml


def resolve(path: str | Path) -> dict:
    """Read a yaml file; ``include: FILE`` stands for that file's content.

    Mappings are merged key by key, and lists of ``{name: ..., conf: ...}`` (ESPnet's
    ``loss`` and ``util``) entry by entry; ``conf: null`` removes the entry. Anything
    else replaces what was included.

    Args:
        path: File; what it includes is relative to it.

    Raises:
        FileNotFoundError: If it or an included file is missing.
        ValueError: If it is not a mapping.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: name a configuration file")
    with open(path, encoding="utf-8") as f:
        own = yaml.safe_load(f)
    if not isinstance(own, dict):
        raise ValueError(f"{path}: expected a mapping, found {type(own).__name__}")
    included = own.pop("include", None)
    return own if included is None else merge(resolve(path.parent / included), own)


def show(config: str | Path) -> str:
    """The resolved content of a file as yaml; see ``resolve``."""
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
