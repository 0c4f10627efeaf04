"""One folder for all that is trained: config.yaml and model.safetensors, no pickle."""

from __future__ import annotations

from pathlib import Path

import yaml
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

CONFIG, WEIGHTS = "config.yaml", "model.safetensors"


def write_folder(folder: str | Path, weights: dict[str, Tensor], content: dict) -> None:
    """Write tensors and what describes them; the folder is made if missing."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {k: v.contiguous().cpu() for k, v in weights.items()}
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    with open(folder / CONFIG, "w", encoding="utf-8") as f:
        yaml.safe_dump(content, f, sort_keys=False, allow_unicode=True)


def find_folder(name: str | Path) -> Path:
    """A folder, or a copy of the repository OWNER/NAME on Hugging Face's hub.

    Raises:
        FileNotFoundError: If there is neither.
    """
    folder = Path(name)
    parts = str(name).split("/")
    if folder.exists() or len(parts) != 2 or not all(parts) or parts[0][0] in ".~":
        return folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(str(name), allow_patterns=[CONFIG, WEIGHTS]))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error) else error
        raise FileNotFoundError(
            f"{name} is no folder here, and nothing of that name was found on the hub "
            f"({reason})"
        ) from error


def read_config(folder: str | Path) -> dict:
    """The content of a checkpoint's config.yaml.

    Raises:
        FileNotFoundError: If the folder is no checkpoint.
    """
    folder = Path(folder)
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder / name} is missing: {folder} is no UniWav checkpoint. Make "
                "one of an ESPnet experiment with `uniwav export EXP FOLDER`."
            )
    with open(folder / CONFIG, encoding="utf-8") as f:
        config = yaml.safe_load(f)
    if not isinstance(config, dict) or "model" not in config:
        raise ValueError(f"{folder / CONFIG}: expected a mapping with the key 'model'")
    return config


def load_weights(
    model: nn.Module, folder: str | Path, prefixes: tuple[str, ...] = ("",)
) -> None:
    """Load the tensors of a folder whose names begin with one of the prefixes.

    Raises:
        ValueError: As of ``load_strictly``.
    """
    path = Path(folder) / WEIGHTS
    weights = load_file(path)
    own = {
        name.removeprefix(prefix): value
        for name, value in weights.items()
        for prefix in prefixes
        if name.startswith(prefix)
    }
    load_strictly(model, own, str(path))


def load_strictly(model: nn.Module, weights: dict[str, Tensor], where: str) -> None:
    """Load tensors, or say which ones do not fit.

    Raises:
        ValueError: Lists missing, extra and misshapen tensors.
    """
    own = model.state_dict()
    problems = [f"missing: {k}" for k in own if k not in weights]
    problems += [f"extra: {k}" for k in weights if k not in own]
    problems += [
        f"misshapen: {k}: expected {tuple(own[k].shape)}, found {tuple(v.shape)}"
        for k, v in weights.items()
        if k in own and own[k].shape != v.shape
    ]
    if problems:
        listed = "\n  ".join(problems)
        raise ValueError(f"{where} does not fit its configuration:\n  {listed}")
    model.load_state_dict(weights)
