"""Runs S3PRL's own `run_downstream` in this process, with what its wheel lacks.

The models, losses and metrics are unchanged. Fixes for 0.4.18:

- ctc: the dataset of LibriPhone is not in the wheel; `num_workers` is taken out of the
  configuration by the first loader, so that every later one starts twelve processes.
- voxceleb1, sv_voxceleb1: lists of files are cached beside S3PRL's code, for ever and
  for every corpus.
- sv_voxceleb1: imports the package `sox` without using it; calls `.cuda()`.
- all: `builtins.isinstance` is replaced for the sake of torch 1.7.

`espnet_uniwav.integrations.s3prl.compat` supplies what newer libraries removed.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import torch

from espnet_uniwav.lab.superb.feature_cache import (
    TRAINED_OR_OTHER,
    CachedUpstream,
    FeatureCache,
)
from espnet_uniwav.plugin import register_s3prl


class HarnessError(OSError):
    """S3PRL stopped; the message names its log."""


@dataclass(frozen=True)
class Expert:
    """A downstream expert and what it works with.

    Attributes:
        name: in S3PRL.
        data: the task's folder.
        cache: an empty folder for the lists of files that S3PRL keeps.
        device: of `--device`.
        features: states of a frozen upstream; None: it runs at every step.
    """

    name: str
    data: Path
    cache: Path
    device: str
    features: FeatureCache | None = None


def run_downstream(args: list[str], expert: Expert, log: Path) -> None:
    """Calls `s3prl.run_downstream.main()`; all that it prints goes to a file.

    Args:
        args: of the command line, without `-d` and `--device`.
        expert: the downstream expert.
        log: the file.

    Raises:
        HarnessError: whatever it raised, with the log's name.
    """
    logging.basicConfig(level=logging.WARNING)
    args = [*args, "-d", expert.name, "--device", expert.device]
    try:
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(open(log, "a", encoding="utf-8"))
            stack.enter_context(contextlib.redirect_stdout(file))
            stack.enter_context(contextlib.redirect_stderr(file))
            register_s3prl()
            stock = importlib.import_module("s3prl.run_downstream")
            for patch in [*_patches(expert), *_cache_features(args, expert.features)]:
                stack.enter_context(patch)
            stack.enter_context(mock.patch.object(sys, "argv", ["s3prl", *args]))
            stack.enter_context(mock.patch.object(stock, "hack_isinstance"))
            stock.main()
    except (Exception, SystemExit) as error:
        raise HarnessError(
            f"s3prl.run_downstream {' '.join(args)}: {type(error).__name__}: {error}; "
            f"its log: {log}"
        ) from error


def _patches(expert: Expert) -> list:
    if expert.name == "ctc":
        return _patch_ctc()
    if expert.name == "voxceleb1":
        dataset = importlib.import_module("s3prl.downstream.voxceleb1.dataset")
        return [mock.patch.object(dataset, "CACHE_PATH", f"{expert.cache}/")]
    if expert.name == "sv_voxceleb1":
        return _patch_verification(expert.data, expert.device)
    return []


def _cache_features(args: list[str], features: FeatureCache | None) -> list:
    if features is None or set(args) & set(TRAINED_OR_OTHER):
        return []
    hub = importlib.import_module("s3prl.hub")
    name = args[args.index("-u") + 1]
    if not hasattr(hub, name):
        raise HarnessError(f"s3prl.hub has no upstream {name}")
    entry = getattr(hub, name)

    def cached(**options) -> CachedUpstream:
        return CachedUpstream(entry(**options), features)

    return [mock.patch.object(hub, name, cached)]


def _patch_ctc() -> list:
    expert = importlib.import_module("s3prl.downstream.ctc.expert")
    load = importlib.import_module("s3prl.downstream.ctc.data").load_dataset
    keep_corpus = mock.patch.object(
        expert,
        "load_dataset",
        lambda split, text, corpus: load(split, text, {**corpus}),
    )
    name = "s3prl.downstream.ctc.corpus"
    if importlib.util.find_spec(name) is not None:
        return [keep_corpus]
    package = types.ModuleType(name)
    package.__path__ = []
    dataset = importlib.import_module("espnet_uniwav.lab.superb.phone_dataset")
    modules = {name: package, f"{name}.libriphone": dataset}
    return [keep_corpus, _known(modules)]


def _patch_verification(data: Path, device: str) -> list:
    if importlib.util.find_spec("sox") is None:
        unused = types.ModuleType("sox")
        unused.Transformer = None
        with _known({"sox": unused}):
            dataset = importlib.import_module("s3prl.downstream.sv_voxceleb1.dataset")
    else:
        dataset = importlib.import_module("s3prl.downstream.sv_voxceleb1.dataset")
    patches = [mock.patch.object(dataset, "__file__", str(data.absolute() / "here"))]
    if device == "cpu":
        patches.append(mock.patch.object(torch.Tensor, "cuda", lambda tensor: tensor))
    return patches


@contextlib.contextmanager
def _known(modules: dict[str, types.ModuleType]) -> Iterator[None]:
    """Lets imports find modules that are not installed."""
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            sys.modules.pop(name, None)
