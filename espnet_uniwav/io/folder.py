"""Storage of trained models: a folder with config.yaml and model.safetensors."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import yaml
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from espnet_uniwav.io.base import find_shared, take_shared
from espnet_uniwav.io.bounds import check_sizes, check_weights
from espnet_uniwav.io.hub import download, is_on_hub
from espnet_uniwav.io.input import read_yaml
from espnet_uniwav.io.output import atomic_path, locked

CONFIG, WEIGHTS = "config.yaml", "model.safetensors"
# Key of the configuration, and of the metadata of the weights.
ID = "id"
# Key of the configuration: the checkpoint that holds the other weights.
BASE = "base"
# Folder of other files that a fine-tuned model needs, such as a SentencePiece model.
FILES = "files"
# What is downloaded of a checkpoint.
SHARED = [CONFIG, WEIGHTS, f"{FILES}/*"]
LISTED = 20
# One folder for each model that comes with the package.
PACKAGED = Path(__file__).parents[1] / "models"


def write_folder(folder: str | Path, weights: dict[str, Tensor], content: dict) -> None:
    """Write tensors and their configuration; the folder is created if missing.

    Both files carry the same id, made from their content: ``read_config`` notices if
    a process was killed after it had replaced the first of them.

    Raises:
        ValueError: If another process writes to the folder.
        OSError: If it cannot be written; what was there before stays.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {k: v.contiguous().cpu() for k, v in weights.items()}
    identity = _identify(weights, content)
    content = {**content, ID: identity}
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    with (
        locked(folder),
        atomic_path(folder / CONFIG) as config,
        atomic_path(folder / WEIGHTS) as partial,
    ):
        config.write_text(text, encoding="utf-8")
        try:
            save_file(weights, partial, metadata={"format": "pt", ID: identity})
        except SafetensorError as error:
            raise OSError(f"{folder / WEIGHTS}: cannot be written ({error})") from error


def _identify(weights: dict[str, Tensor], content: dict) -> str:
    """Id of a checkpoint: equal for equal tensors and configurations."""
    digest = hashlib.sha256(yaml.safe_dump(content, sort_keys=False).encode())
    for name, value in sorted(weights.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


def copy_file(source: Path, folder: Path) -> str:
    """Copy a file or folder that a model needs; returns its name in ``FILES``."""
    target = folder / FILES / source.name
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        with atomic_path(target) as partial:
            shutil.copyfile(source, partial)
    return source.name


def packaged_models() -> dict[str, Path]:
    """Name -> folder of every model that comes with the package."""
    return {path.parent.name: path.parent for path in PACKAGED.glob(f"*/{CONFIG}")}


def find_folder(name: str | Path) -> Path:
    """Find the folder of a checkpoint by its path or name.

    Args:
        name: A folder; a packaged model, such as ``small``; or the repository
            OWNER/NAME or OWNER/NAME@REVISION on Hugging Face's hub, which is
            downloaded. The first one that exists is used.

    Returns:
        The folder. A path that cannot be a name is returned unchanged: ``read_config``
        then reports what is missing.

    Raises:
        FileNotFoundError: If there is no checkpoint of that name.
        TypeError: If it is neither a name nor a path.
    """
    if not isinstance(name, (str, Path)):
        raise TypeError(
            f"expected the folder or name of a checkpoint, found {type(name).__name__}"
        )
    folder = _find_here(name)
    if folder is not None:
        return folder
    if is_on_hub(name):
        return download(name, SHARED)
    if "/" not in str(name):
        listed = ", ".join(sorted(packaged_models())) or "none"
        raise FileNotFoundError(
            f"{name} is no UniWav checkpoint: there is no such folder, and the models "
            f"of this package are: {listed}"
        )
    return Path(name)


def find_local(name: str | Path) -> Path | None:
    """As ``find_folder``, but only on this machine; None if not found."""
    folder = _find_here(name)
    if folder is None and is_on_hub(name):
        try:
            folder = download(name, SHARED, local_files_only=True)
        except FileNotFoundError:
            return None
        folder = folder if (folder / WEIGHTS).is_file() else None
    return folder


def _find_here(name: str | Path) -> Path | None:
    folder = Path(name)
    return folder if folder.is_dir() else packaged_models().get(str(name))


def read_config(folder: str | Path) -> dict:
    """Read a checkpoint's config.yaml.

    Args:
        folder: Its name, see ``find_folder``.

    Raises:
        FileNotFoundError: If the folder is no checkpoint.
        ValueError: If the file is broken, a size in it is that of no model, or the
            weights were exported with another configuration.
    """
    folder = find_folder(folder)
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder / name} is missing: {folder} is no UniWav checkpoint. Make "
                "one from an ESPnet experiment with `uniwav export EXP FOLDER`."
            )
    config = read_yaml(folder / CONFIG)
    if not isinstance(config.get("model"), dict):
        raise ValueError(f"{folder / CONFIG}: expected a mapping with the key 'model'")
    check_sizes(config["model"], str(folder / CONFIG))
    size = (folder / WEIGHTS).stat().st_size
    if BASE in config:
        base = _find_base(config[BASE], folder)
        size += (base / WEIGHTS).stat().st_size
    check_weights(config["model"], size, str(folder / CONFIG))
    _check_id(config, folder)
    return config


def _find_base(entry, folder: Path) -> Path:
    """Find the base of a folder; refuse another than weights were left out for."""
    path = folder / CONFIG
    keys = {"checkpoint", ID, "shared"}
    if not isinstance(entry, dict) or entry.keys() != keys:
        raise ValueError(f"{path}: expected {BASE} with {', '.join(sorted(keys))}")
    base = find_folder(entry["checkpoint"])
    found = read_yaml(base / CONFIG)
    if found.get(ID) != entry[ID] or BASE in found:
        raise ValueError(
            f"{path}: its other weights are those of {entry['checkpoint']} with the id "
            f"{entry[ID]}, found {found.get(ID)}: use the version of espnet_uniwav "
            "that it came with, or export it again"
        )
    return base


def share_weights(folder: str | Path, base: str) -> None:
    """Leave out the weights of a checkpoint that another one has too.

    It is then read with them; what is loaded does not change.

    Args:
        folder: The checkpoint.
        base: Name of the other one, which must stay where it is, such as ``small``.

    Raises:
        ValueError: If no weights are equal, or if the other one has a base itself.
        FileNotFoundError: If there is no such checkpoint.
    """
    config, other = read_config(folder), read_config(base)
    weights, others = read_weights(folder), read_weights(base)
    shared = find_shared(weights, others)
    if not shared or BASE in other:
        reason = "it has a base itself" if shared else "no weights are equal"
        raise ValueError(f"{folder} cannot leave out weights of {base}: {reason}")
    for name in take_shared(shared, others, weights):
        del weights[name]
    config = {key: value for key, value in config.items() if key not in (ID, BASE)}
    config[BASE] = {"checkpoint": base, ID: other[ID], "shared": shared}
    write_folder(folder, weights, config)


def _check_id(config: dict, folder: Path) -> None:
    """Refuse weights that carry the id of another export; others carry none."""
    path = folder / WEIGHTS
    with _damaged(path), safe_open(path, "pt") as file:
        found = (file.metadata() or {}).get(ID)
    if found is not None and found != config.get(ID):
        raise ValueError(
            f"{path}: expected weights with the id {config.get(ID)} of {CONFIG}, found "
            f"{found}: the two files are of two exports, the later one perhaps "
            "unfinished; export again: `uniwav export EXP FOLDER`"
        )


@contextmanager
def _damaged(path: Path) -> Iterator[None]:
    """Context in which errors of safetensors say what to do."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # safetensors raises KeyError, too
        raise ValueError(f"{path} is damaged ({error}): make it again") from error


def load_weights(
    model: nn.Module, folder: str | Path, prefixes: tuple[str, ...] = ("",)
) -> None:
    """Load the tensors of a folder whose names begin with one of the prefixes.

    The model stays in fp32, also if the file is in fp16.

    Raises:
        ValueError: As of ``load_strictly``, or if the file is damaged.
    """
    weights = read_weights(folder)
    own = {
        name.removeprefix(prefix): value
        for name, value in weights.items()
        for prefix in prefixes
        if name.startswith(prefix)
    }
    load_strictly(model, own, str(find_folder(folder) / WEIGHTS))


def read_weights(folder: str | Path) -> dict[str, Tensor]:
    """All tensors of a folder, and those of its base that it has left out.

    Raises:
        ValueError: If the file is damaged, or the base is another one.
    """
    folder = find_folder(folder)
    with _damaged(folder / WEIGHTS):
        weights = load_file(folder / WEIGHTS)
    if (entry := read_yaml(folder / CONFIG).get(BASE)) is None:
        return weights
    base = _find_base(entry, folder)
    return weights | take_shared(entry["shared"], read_weights(base), weights)


def load_strictly(model: nn.Module, weights: dict[str, Tensor], where: str) -> None:
    """Load tensors, or say which ones do not fit.

    Args:
        model: Any module.
        weights: Name -> tensor.
        where: The file, for the error.

    Raises:
        ValueError: Lists missing, extra and misshapen tensors, those of another type
            and those with NaN or infinite values.
    """
    own = model.state_dict()
    problems = [f"missing: {k}" for k in own if k not in weights]
    problems += [f"extra: {k}" for k in weights if k not in own]
    problems += [
        f"misshapen: {k}: expected {tuple(own[k].shape)}, found {tuple(v.shape)}"
        for k, v in weights.items()
        if k in own and own[k].shape != v.shape
    ]
    problems += [
        f"of another type: {k}: expected {own[k].dtype}, found {v.dtype}"
        for k, v in weights.items()
        if k in own and not _is_same_kind(own[k], v)
    ]
    problems += [
        f"NaN or infinite: {k}: {int((~v.isfinite()).sum())} of {v.numel()} values"
        for k, v in weights.items()
        if k in own and not v.isfinite().all()
    ]
    if problems:
        if len(problems) > LISTED:
            problems[LISTED:] = [f"and {len(problems) - LISTED} more"]
        listed = "\n  ".join(p if p.isprintable() else repr(p) for p in problems)
        raise ValueError(f"{where} does not fit its configuration:\n  {listed}")
    model.load_state_dict(weights)


def _is_same_kind(own: Tensor, value: Tensor) -> bool:
    """Whether both are floating point, of any precision, or of the same type."""
    if own.is_floating_point():
        return value.is_floating_point()
    return own.dtype == value.dtype
