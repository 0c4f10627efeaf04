"""One run of the harness: train, score dev, later score test; finished ones are kept.

A run's folder holds the configuration as S3PRL reads it (`dev.yaml`, `test.yaml`), the
harness's log and files, `settings.json` (what the run depends on) and `result.json`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from espnet_uniwav.io.output import write_text
from espnet_uniwav.io.saved import read_saved
from espnet_uniwav.lab.superb.feature_cache import FeatureCache
from espnet_uniwav.lab.superb.harness import Expert, run_downstream
from espnet_uniwav.lab.superb.settings import check_same, make_settings, write_config
from espnet_uniwav.lab.superb.tasks import TASKS
from espnet_uniwav.lab.superb.utterance_scores import read_counts


@dataclass(frozen=True)
class Upstream:
    """An upstream: its name here, S3PRL's name, and a checkpoint if it needs one."""

    name: str
    s3prl: str
    checkpoint: str = ""


@dataclass(frozen=True)
class Setup:
    """Folders shared by all runs of a sweep."""

    data: Path
    exp: Path
    conf: Path
    device: str
    harness_args: tuple[str, ...] = ()
    features: FeatureCache | None = None


@dataclass(frozen=True)
class Run:
    """One training; `lr` and `steps` replace those of the configuration."""

    task: str
    upstream: Upstream
    lr: float
    seed: int
    steps: int

    def folder(self, setup: Setup) -> Path:
        name = f"lr{self.lr:g}_seed{self.seed}_steps{self.steps}"
        return setup.exp / self.task / self.upstream.name / name


def train(run: Run, setup: Setup) -> dict:
    """Trains and scores dev, unless that was done; returns the run's result.

    Raises:
        ValueError: a finished run has the same name but other settings.
        HarnessError: S3PRL stopped.
    """
    folder, settings = run.folder(setup), _settings(run, setup)
    if (folder / "result.json").is_file():
        check_same(settings, folder)
        return read_result(folder)
    if (folder / "settings.json").is_file():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    _write_json(folder / "settings.json", settings)
    for split in ("dev", "test"):
        data = str((setup.data / run.task).absolute())
        words = {"{data}": data, "{split}": split}
        write_config(folder / f"{split}.yaml", run.task, setup.conf, words, asdict(run))
    start, cpu_start = time.perf_counter(), time.process_time()
    _call(run, setup, "-m", "train", "-c", str(folder / "dev.yaml"))
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    result = {
        "dev": _evaluate(run, setup, "dev"),
        "train_seconds": round(seconds, 1),
        "train_cpu_seconds": round(cpu, 1),
        "layer_weights": _layer_weights(_best_model(run, setup)),
    }
    _write_json(folder / "result.json", result)
    return result


def score_test(run: Run, setup: Setup) -> dict:
    """Scores test with a trained run's best model, unless that was done."""
    folder = run.folder(setup)
    result = read_result(folder)
    if "test" not in result:
        result["test"] = _evaluate(run, setup, "test")
        _write_json(folder / "result.json", result)
    return result


def read_result(folder: Path) -> dict:
    """Result of a finished run: metrics, seconds, and layer weights."""
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def _evaluate(run: Run, setup: Setup, split: str) -> dict[str, float]:
    spec, folder = TASKS[run.task], run.folder(setup)
    _call(
        *(run, setup, "-m", "evaluate", "-t", spec.splits[split]),
        *("-i", str(_best_model(run, setup)), "-c", str(folder / f"{split}.yaml")),
    )
    counts = read_counts(run.task, folder, setup.data / run.task, split)
    return {
        metric: round(found.rate(np.ones(len(found.names), bool)), 4)
        for metric, found in counts.items()
    }


def _best_model(run: Run, setup: Setup) -> Path:
    """The best model on dev; the last one if the harness saved no best one."""
    best = run.folder(setup) / TASKS[run.task].best
    return best if best.is_file() else best.with_name(f"states-{run.steps}.ckpt")


def _layer_weights(checkpoint: Path) -> list[float]:
    """The learned layer weights; empty for an upstream with one layer.

    S3PRL keeps the arguments of its command beside them. Nothing else is unpickled,
    whatever torch does by default: the folder may come from others.
    """
    torch.serialization.add_safe_globals([argparse.Namespace])
    states = read_saved(checkpoint).get("Featurizer", {})
    if "weights" not in states:
        return []
    return [round(weight, 4) for weight in states["weights"].softmax(dim=0).tolist()]


def _call(run: Run, setup: Setup, *args: str) -> None:
    folder, cache = run.folder(setup), run.folder(setup) / "cache"
    cache.mkdir(exist_ok=True)
    name = TASKS[run.task].downstream
    if setup.features is not None:
        setup.features.clear(owner=run.upstream)
    data = setup.data / run.task
    expert = Expert(name, data, cache, setup.device, setup.features)
    upstream = ["-u", run.upstream.s3prl]
    if run.upstream.checkpoint:
        upstream += ["-k", run.upstream.checkpoint]
    where = ["-p", str(folder), "--seed", str(run.seed)]
    run_downstream(
        [*args, *upstream, *where, *setup.harness_args], expert, folder / "harness.log"
    )


def _settings(run: Run, setup: Setup) -> dict:
    rest = {"lr": run.lr, "seed": run.seed, "steps": run.steps}
    rest["harness_args"] = list(setup.harness_args)
    data = setup.data / run.task
    return make_settings(run.task, setup.conf, data, asdict(run.upstream), rest)


def _write_json(path: Path, content: dict) -> None:
    write_text(path, json.dumps(content, indent=1) + "\n")
