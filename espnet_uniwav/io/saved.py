"""Files that ``torch.save`` wrote, read without pickle."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor


def read_saved(path: str | Path) -> dict:
    """What ``torch.save`` wrote, if it is made of tensors, numbers and strings.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds anything else, or is damaged.
    """
    try:
        with open(path, "rb") as file:
            saved = torch.load(file, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # a damaged pickle raises anything
        reason = str(error).strip().partition("\n")[0][:200]
        raise ValueError(
            f"{path}: expected weights alone, found something else or a damaged file "
            f"({type(error).__name__}: {reason}); get the file again, or the model as "
            "a folder of `uniwav export`"
        ) from error
    if not isinstance(saved, dict):
        raise ValueError(f"{path}: expected weights, found {type(saved).__name__}")
    return saved


def read_state(path: str | Path) -> dict[str, Tensor]:
    """The tensors that a training saved (.pth, .ckpt); errors as of ``read_saved``."""
    saved = read_saved(path)
    for key in ("model", "module", "state_dict"):
        saved = saved[key] if isinstance(saved.get(key), dict) else saved
    if not all(isinstance(value, Tensor) for value in saved.values()):
        raise ValueError(f"{path}: expected tensors alone; name the weights of a model")
    return saved
