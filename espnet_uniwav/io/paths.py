"""Paths in published configurations, without the folders of this machine."""

from __future__ import annotations

import os
from pathlib import Path


def strip_local_paths(value, experiment: str | Path):
    """Shorten paths in a configuration, at any depth.

    Absolute paths and those that lead up (``../``) become relative to the experiment
    if they are in it, and else file names. Data are listed as ``path,name,type``: each
    part is shortened.

    Args:
        value: Anything that yaml can hold.
        experiment: Folder of the experiment.
    """
    if isinstance(value, dict):
        return {key: strip_local_paths(part, experiment) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [strip_local_paths(part, experiment) for part in value]
    if isinstance(value, Path):
        value = str(value)
    if not isinstance(value, str):
        return value
    return ",".join(_shorten(part, experiment) for part in value.split(","))


def _shorten(path: str, experiment: str | Path) -> str:
    bare = path.removeprefix("file://")
    if not bare.startswith(("/", "~", "../")):
        return path
    inside = os.path.relpath(os.path.expanduser(bare), experiment)
    return os.path.basename(bare.rstrip("/")) if inside.startswith("..") else inside
