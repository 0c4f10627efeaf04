"""Nothing here runs without ESPnet3 and Lightning."""

from __future__ import annotations

import importlib.util

import pytest

for name in ("espnet3", "lightning"):
    if importlib.util.find_spec(name) is None:
        pytest.skip(
            f"no {name}: ESPnet3 needs Python 3.12 or newer and the extra espnet3",
            allow_module_level=True,
        )
