"""Checkpoints of ESPnet's trainer that a kill cannot damage.

The trainer writes ``checkpoint.pth``, then ``Nepoch.pth``, then links to it. Each file
is written whole; what a kill between them left out is made when training resumes.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from espnet_uniwav.integrations.espnet.extend import extend
from espnet_uniwav.io.output import atomic_write


def protect(module) -> None:
    """Extend the trainer of ``espnet2.train.trainer``, and those derived from it."""
    extend(module.Trainer, "run", _run)


def _run(run: Callable, *args, trainer_options, distributed_option, **kwargs) -> None:
    """Check and complete the experiment, then train with whole files."""
    folder = Path(trainer_options.output_dir)
    first = not distributed_option.distributed or distributed_option.dist_rank == 0
    if first:
        for partial in folder.glob(".*.pth.*.partial"):
            partial.unlink(missing_ok=True)
    if trainer_options.resume and (folder / "checkpoint.pth").exists():
        check_checkpoint(folder / "checkpoint.pth")
        if first:
            complete(folder, trainer_options.best_model_criterion)
    with atomic_saves():
        run(
            *args,
            trainer_options=trainer_options,
            distributed_option=distributed_option,
            **kwargs,
        )


def check_checkpoint(path: Path) -> None:
    """Raise a ValueError if the file is cut off, or not what was saved.

    A kill or a full disk cuts it off; a copy or a disk may change bytes. torch itself
    compares no checksum: it would train on with changed weights, or end in any error.
    """
    try:
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()
        if damaged is None:
            _load(path)["reporter"]
            return
        reason = f"the checksum of {damaged} is wrong"
    except PermissionError:
        raise
    except Exception as error:  # a damaged file raises anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    raise ValueError(
        f"{path}: expected a checkpoint, found a file that is cut off or damaged "
        f"({reason}); delete it to start again, or put a copy back"
    )


def _load(path: Path) -> dict:
    """What the trainer saved; tensors are read when they are used.

    It is unpickled: the file is in the folder that the user trains in, and the trainer,
    whose state is no mere tensors, unpickles it itself to resume, right after this.
    Files that come from others are read by ``storage.saved``.
    """
    return torch.load(path, map_location="cpu", mmap=True, weights_only=False)


def complete(folder: Path, criteria) -> None:
    """Make the model file and the links of the last epoch, where they are missing.

    Args:
        folder: Experiment with a ``checkpoint.pth``.
        criteria: ESPnet's ``best_model_criterion``: phase, name, and min or max.
    """
    from espnet2.train.reporter import Reporter

    states = _load(folder / "checkpoint.pth")
    reporter = Reporter()
    reporter.load_state_dict(states["reporter"])
    last = folder / f"{reporter.get_epoch()}epoch.pth"
    if not zipfile.is_zipfile(last):
        with atomic_saves():
            torch.save(states["model"], last)
    _link(folder / "latest.pth", last)
    for phase, name, mode in criteria:
        if reporter.has(phase, name):
            best = reporter.get_best_epoch(phase, name, mode)
            _link(folder / f"{phase}.{name}.best.pth", folder / f"{best}epoch.pth")


def _link(link: Path, target: Path) -> None:
    """Point a link to a file beside it, if that exists."""
    right = link.is_symlink() and os.readlink(link) == target.name
    if target.is_file() and not right:
        link.unlink(missing_ok=True)
        link.symlink_to(target.name)


@contextmanager
def atomic_saves() -> Iterator[None]:
    """Let ``torch.save`` write files whole or not at all."""
    save = torch.save

    def save_atomically(obj, f, *args, **kwargs):
        if not isinstance(f, (str, os.PathLike)):
            return save(obj, f, *args, **kwargs)
        with atomic_write(f, "wb") as file:
            return save(obj, file, *args, **kwargs)

    torch.save = save_atomically
    try:
        yield
    finally:
        torch.save = save
