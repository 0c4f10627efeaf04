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
from torch.utils.data import Dataset

from espnet_uniwav.io.input import fields, read_lines
from espnet_uniwav.io.tables import read_rows
from espnet_uniwav.lab.superb.cached_upstream import CachedUpstream, StateCache
from espnet_uniwav.plugin import register_s3prl


class HarnessError(OSError):
    """S3PRL stopped; the message names its log."""


@dataclass(frozen=True)
class Expert:
    """A downstream expert and what it works with.

    Attributes:
        name: In S3PRL.
        data: The task's folder.
        cache: An empty folder for the lists of files that S3PRL keeps.
        device: Of `--device`.
        states: Those of the upstream; None: it runs at every step.
    """

    name: str
    data: Path
    cache: Path
    device: str
    states: StateCache | None = None


def run_downstream(args: list[str], expert: Expert, log: Path) -> None:
    """Call `s3prl.run_downstream.main()`; all that it prints goes to a file.

    Args:
        args: Of the command line, without `-d` and `--device`.
        expert: The downstream expert.
        log: The file.

    Raises:
        HarnessError: Whatever it raised, with the log's name.
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
            upstream = args[args.index("-u") + 1]
            for patch in [*_patches(expert), *_cached(upstream, expert.states)]:
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


def _cached(name: str, states: StateCache | None) -> list:
    if states is None:
        return []
    hub = importlib.import_module("s3prl.hub")
    if not hasattr(hub, name):
        raise HarnessError(f"s3prl.hub has no upstream {name}")
    entry = getattr(hub, name)
    cached = lambda **options: CachedUpstream(entry(**options), states)  # noqa: E731
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
    package, module = types.ModuleType(name), types.ModuleType(f"{name}.libriphone")
    package.__path__, module.LibriPhoneDataset = [], LibriPhoneDataset
    return [keep_corpus, _known({name: package, module.__name__: module})]


def _patch_verification(data: Path, device: str) -> list:
    unused = types.ModuleType("sox")
    unused.Transformer = None
    missing = importlib.util.find_spec("sox") is None
    with _known({"sox": unused} if missing else {}):
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


class LibriPhoneDataset(Dataset):
    """Audio paths and phone ids, the longest phone sequence first.

    The class of `s3prl.downstream.ctc.corpus.libriphone`, which no wheel contains, and
    its tables (csv_dir/SPLIT.csv with wav_path and transcription, lexicon files). With
    a bucket size above one, item `i` is the bucket that starts at `i`, so that an epoch
    has as many buckets as there are utterances, as in S3PRL.
    """

    def __init__(self, split_csv, tokenizer, bucket_size, lexicon, csv_dir, **unused):
        self.bucket_size = bucket_size
        phones = {}
        for path in lexicon:
            for line in read_lines(path):
                word, *own = fields(line)
                phones.setdefault(word, own)
        items = []
        for _, row in read_rows(Path(csv_dir) / split_csv)[1]:
            text = " ".join(p for w in row["transcription"].split() for p in phones[w])
            items.append((row["wav_path"], tokenizer.encode(text)))
        self.items = sorted(items, key=lambda item: len(item[1]), reverse=True)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int):
        if self.bucket_size <= 1:
            return self.items[index]
        start = max(0, min(index, len(self.items) - self.bucket_size))
        return self.items[start : start + self.bucket_size]
