"""Fine-tuned models of ESPnet2 tasks: loading without pickle, export to a folder.

ESPnet's own loader unpickles a .pth file, which can run arbitrary code. Here the model
is built from its configuration, and only tensors are read from the file.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

from torch import Tensor, nn

from espnet_uniwav import plugin
from espnet_uniwav.cli.command import load
from espnet_uniwav.core.checkpoint import halved
from espnet_uniwav.io.folder import (
    CONFIG,
    FILES,
    find_folder,
    load_strictly,
    read_config,
    read_weights,
    write_folder,
)
from espnet_uniwav.io.input import error_context, read_yaml
from espnet_uniwav.io.output import atomic_path
from espnet_uniwav.io.paths import strip_local_paths
from espnet_uniwav.io.saved import read_saved

TASKS = {"tts": "espnet2.tasks.tts:TTSTask", "asr": "espnet2.tasks.asr:ASRTask"}
# Options of the tasks that name files which the trained model needs.
NAMED = (
    ("bpemodel",),
    ("non_linguistic_symbols",),
    ("normalize_conf", "stats_file"),
    ("tts_conf", "vocoder"),
    ("tts_conf", "voice"),
)
FORCE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"

Found = tuple[nn.Module, argparse.Namespace, type]


def load_finetuned(
    kind: str,
    model: str | Path,
    config: str | Path | None = None,
    device: str = "cpu",
    check: Callable[[Path, dict], None] = lambda path, args: None,
) -> Found:
    """Load a model that ESPnet has saved, or ``export_finetuned``. Executes no pickle.

    Args:
        kind: ``tts`` or ``asr``.
        model: Weights that a training saved (.pth); or a folder or name, as of
            ``find_folder``.
        config: Of such weights; None: ``config.yaml`` beside them.
        device: Torch device.
        check: Refuses a configuration, given its path and content, by a ValueError.

    Returns:
        The model, its arguments, and its task.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If the model cannot be built or the weights are not its own.
    """
    args, config, path = read_arguments(kind, model, config)
    read = read_weights if path.is_dir() else read_state
    check(config, args)
    plugin.register()
    task = load(TASKS[kind])
    with error_context(config), weights_alone():
        args = argparse.Namespace(**args)
        built = _build(task, args)
        _check_tokens(args.token_list)
    weights, own = read(path), built.state_dict()
    load_strictly(built, {k: v for k, v in weights.items() if k in own}, str(path))
    return built.to(device).eval(), args, task


def read_arguments(
    kind: str, model: str | Path, config: str | Path | None = None
) -> tuple[dict, Path, Path]:
    """Read the arguments of a fine-tuned model; those of this function as above.

    Returns:
        Its arguments, the file that they are from, and its weights or their folder.
    """
    path = Path(model)
    if path.suffix == ".pth" or path.is_file():
        config = Path(config or path.with_name(CONFIG))
        for file in (config, path):
            if not file.is_file():
                raise FileNotFoundError(
                    f"{file}: no such file; give an ESPnet {kind.upper()} model"
                )
        return read_yaml(config), config, path
    path = find_folder(model)
    config, content = path / CONFIG, read_config(path)["model"]
    if kind not in content:
        raise ValueError(
            f"{path}: expected a fine-tuned {kind.upper()} model, found "
            f"{', '.join(content)}; export one with `uniwav export`"
        )
    return _find_files(content[kind], path), config, path


def read_state(path: str | Path) -> dict[str, Tensor]:
    """The tensors that a training of ESPnet saved (.pth, .ckpt); see ``read_saved``."""
    saved = read_saved(path)
    for key in ("model", "module", "state_dict"):
        saved = saved[key] if isinstance(saved.get(key), dict) else saved
    if not all(isinstance(value, Tensor) for value in saved.values()):
        raise ValueError(f"{path}: expected tensors alone; name the weights of a model")
    return saved


def export_finetuned(
    kind: str,
    config: Path,
    model: Path,
    folder: str | Path,
    about: dict,
    half: bool = False,
) -> nn.Module:
    """Write a fine-tuned model to a folder that ``load_finetuned`` takes.

    Args:
        kind: ``tts`` or ``asr``.
        config: ESPnet's configuration of it.
        model: Weights that the training saved.
        folder: Made if missing: config.yaml, with the list of tokens, and
            model.safetensors; files that the configuration names are copied, and the
            folder of a vocoder.
        about: Anything worth keeping.
        half: See ``save_checkpoint``.

    Returns:
        The model.

    Raises:
        FileNotFoundError, ValueError: As of ``load_finetuned``; or if the vocoder is
            missing or one for other features.
    """
    built, args, _ = load_finetuned(kind, model, config)
    args, folder = vars(args), Path(folder)
    with error_context(config):
        for part, key in _named(args):
            source = Path(part[key])
            if key == "vocoder":
                built.tts.check_vocoder()
                if not source.is_dir():
                    continue  # a name
            _copy(source, folder / FILES / source.name)
            part[key] = source.name
    args = _strip_local_paths(args, config.parent)
    weights = halved(built) if half else built.state_dict()
    weights = {name: value.clone() for name, value in weights.items()}
    write_folder(folder, weights, {"model": {kind: args}, "about": about})
    return built


def _copy(source: Path, target: Path) -> None:
    """Copy a file or a folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
        return
    with atomic_path(target) as partial:
        shutil.copyfile(source, partial)


def _strip_local_paths(args: dict, experiment: Path) -> dict:
    """Arguments that name no path, and nothing to start from.

    The architecture is among them, and the weights are beside them.
    """
    described = {**args, "token_list": None}
    for key in ("distil", "durations_only"):
        if (described.get("tts_conf") or {}).get(key):
            described["tts_conf"] = {**described["tts_conf"], key: None}
    for key in ("tts_conf", "frontend_conf", "feats_extract_conf"):
        if (described.get(key) or {}).get("checkpoint"):
            described[key] = {**described[key], "checkpoint": None}
    described = strip_local_paths(described, experiment)
    if vocoder := (args.get("tts_conf") or {}).get("vocoder"):
        described["tts_conf"]["vocoder"] = vocoder
    return {**described, "token_list": args["token_list"]}


@contextmanager
def weights_alone() -> Iterator[None]:
    """Let no ``torch.load``, of whatever part of ESPnet, unpickle programs."""
    before = os.environ.get(FORCE)
    os.environ[FORCE] = "1"
    try:
        yield
    finally:
        del os.environ[FORCE]
        if before is not None:
            os.environ[FORCE] = before


def _build(task: type, args: argparse.Namespace) -> nn.Module:
    model = task.build_model(args)
    if getattr(args, "use_adapter", False):
        from espnet2.layers.create_adapter import create_adapter

        create_adapter(model, args.adapter, args.adapter_conf)
    return model


def _check_tokens(tokens) -> None:
    if not (
        isinstance(tokens, (list, tuple)) and all(isinstance(t, str) for t in tokens)
    ):
        raise ValueError("token_list: expected a list of strings; fix it")


def _find_files(args: dict, folder: Path) -> dict:
    """Arguments in which what was copied is named by its full path."""
    with error_context(folder / CONFIG):
        for part, key in _named(args):
            copied = folder / FILES / PurePath(part[key]).name
            if key != "vocoder" or copied.is_dir():
                part[key] = str(copied)
    return args


def _named(args: dict) -> Iterator[tuple[dict, str]]:
    """Where the arguments name a file: a mapping, and the key in it."""
    for *parents, key in NAMED:
        part = args
        for parent in parents:
            part = part.get(parent) or {}
        if part.get(key):
            yield part, key
