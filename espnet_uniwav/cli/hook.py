"""A file in site-packages that registers UniWav in every Python process."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import Literal

from espnet_uniwav.io.output import write_text

LINE = (
    "import importlib.util as u; "
    "u.find_spec('espnet_uniwav') and "
    "__import__('espnet_uniwav.plugin', fromlist=['register']).register()\n"
)


def hook(action: Literal["install", "remove", "status"]) -> str:
    """Install, remove or look for the file; return its status.

    Args:
        action: What to do.
    """
    path = hook_path()
    if action == "install":
        write_text(path, LINE)
    elif action == "remove":
        path.unlink(missing_ok=True)
    return f"{path}: {'installed' if path.exists() else 'not installed'}"


def hook_path() -> Path:
    """Path of the hook in the running environment."""
    return Path(sysconfig.get_path("purelib")) / "espnet_uniwav_register.pth"
