"""Recognisers of ESPnet2's ASR task: loading without pickle, export to a folder.

ESPnet's own loader unpickles a .pth file, which can run arbitrary code. Here the model
is built from its configuration, and only tensors are read from the file.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

from torch import nn

from espnet_uniwav import plugin
from espnet_uniwav.cli.command import load
from espnet_uniwav.core.checkpoint import halved, read_checkpoint
from espnet_uniwav.io.folder import (
    CONFIG,
    FILES,
    copy_file,
    load_strictly,
    write_folder,
)
from espnet_uniwav.io.input import error_context, read_yaml
from espnet_uniwav.io.paths import strip_local_paths
from espnet_uniwav.io.saved import read_state

KIND, TASK = "recogniser", "espnet2.tasks.asr:ASRTask"
# Options of the task that name files which the trained model needs.
NAMED = (("bpemodel",), ("non_linguistic_symbols",), ("normalize_conf", "stats_file"))
FORCE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"

Found = tuple[nn.Module, argparse.Namespace, type]


def load_model(
    model: str | Path, config: str | Path | None = None, device: str = "cpu"
) -> Found:
    """Load what ``asr_train`` has saved, or ``export_recogniser``; executes no pickle.

    Args:
        model: Weights that a training saved (.pth); or a folder or name, as of
            ``find_folder``.
        config: Of such weights; None: ``config.yaml`` beside them.
        device: Torch device.

    Returns:
        The model, its arguments, and its task.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If the model cannot be built or the weights are not its own.
    """
    path = Path(model)
    if path.suffix == ".pth" or path.is_file():
        config = Path(config or path.with_name(CONFIG))
        for file in (config, path):
            if not file.is_file():
                raise FileNotFoundError(
                    f"{file}: no such file; give an ESPnet ASR model"
                )
        args, weights = read_yaml(config), read_state(path)
    else:
        found = read_checkpoint(path)
        found.require(KIND)
        args, config, weights = found.model["asr"], found.path / CONFIG, found.weights()
        for part, key in _named(args):
            part[key] = str(found.path / FILES / PurePath(part[key]).name)
    plugin.register()
    task = load(TASK)
    with error_context(config), weights_alone():
        args = argparse.Namespace(**args)
        built = _build(task, args)
        check_tokens(args.token_list)
    own = built.state_dict()
    load_strictly(built, {k: v for k, v in weights.items() if k in own}, str(path))
    return built.to(device).eval(), args, task


def export_recogniser(
    config: Path, model: Path, folder: str | Path, about: dict, half: bool = False
) -> nn.Module:
    """Write a recogniser to a folder that ``load_model`` takes.

    Args:
        config: ESPnet's configuration of it.
        model: Weights that the training saved.
        folder: Made if missing: config.yaml, with the list of tokens, and
            model.safetensors; files that the configuration names are copied.
        about: Anything worth keeping.
        half: See ``save_checkpoint``.

    Returns:
        The model.

    Raises:
        FileNotFoundError, ValueError: As of ``load_model``.
    """
    built, args, _ = load_model(model, config)
    args, folder = vars(args), Path(folder)
    with error_context(config):
        for part, key in _named(args):
            part[key] = copy_file(Path(part[key]), folder)
    weights = halved(built) if half else built.state_dict()
    weights = {name: value.clone() for name, value in weights.items()}
    args = _strip_local_paths(args, config.parent)
    write_folder(
        folder, weights, {"kind": KIND, "model": {"asr": args}, "about": about}
    )
    return built


def _strip_local_paths(args: dict, experiment: Path) -> dict:
    """Arguments that name no path, and nothing to start from.

    The architecture is among them, and the weights are beside them.
    """
    described = {**args, "token_list": None}
    if (described.get("frontend_conf") or {}).get("checkpoint"):
        described["frontend_conf"] = {**described["frontend_conf"], "checkpoint": None}
    described = strip_local_paths(described, experiment)
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


def check_tokens(tokens) -> None:
    """Raise a ValueError if a list of tokens is something else."""
    if not (
        isinstance(tokens, (list, tuple)) and all(isinstance(t, str) for t in tokens)
    ):
        raise ValueError("token_list: expected a list of strings; fix it")


def _named(args: dict) -> Iterator[tuple[dict, str]]:
    """Where the arguments name a file: a mapping, and the key in it."""
    for *parents, key in NAMED:
        part = args
        for parent in parents:
            part = part.get(parent) or {}
        if part.get(key):
            yield part, key
