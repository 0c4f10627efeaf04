"""One run of the harness: train, score dev, later score test; finished ones are kept.

A run's folder holds the configuration as S3PRL reads it (`dev.yaml`, `test.yaml`), the
harness's log and files, `settings.json` (what the run depends on) and `result.json`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import time
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import torch
import yaml

from espnet_uniwav.io.folder import find_local
from espnet_uniwav.io.output import write_text
from espnet_uniwav.io.saved import read_saved
from espnet_uniwav.lab.superb.cached_upstream import StateCache
from espnet_uniwav.lab.superb.harness import Expert, run_downstream
from espnet_uniwav.lab.superb.scores import TASKS, read_predictions

EVALUATIONS = 4
LOG_LINES = 20


@dataclass(frozen=True)
class Upstream:
    """An upstream: its name here, S3PRL's name, and a checkpoint if it needs one."""

    name: str
    s3prl: str
    checkpoint: str = ""


@dataclass(frozen=True)
class Setup:
    """Folders and settings shared by all runs of a sweep."""

    data: Path
    exp: Path
    conf: Path
    device: str

    def read_conf(self, task: str) -> str:
        """Text of a task's configuration, with `{data}` and `{split}`."""
        path = self.conf / f"{task}.yaml"
        if not path.is_file():
            raise ValueError(
                f"{path} is missing: expected a configuration for each task"
            )
        return path.read_text(encoding="utf-8")


@dataclass(frozen=True)
class Run:
    """One training; `lr` and `steps` replace those of the configuration."""

    setup: Setup
    task: str
    upstream: Upstream
    lr: float
    seed: int
    steps: int
    states: StateCache | None = None

    @property
    def folder(self) -> Path:
        """Where everything of this run is."""
        name = run_name(self.lr, self.seed, self.steps)
        return self.setup.exp / self.task / self.upstream.name / name

    @property
    def data(self) -> Path:
        """The task's folder."""
        return self.setup.data / self.task

    def train(self) -> dict:
        """Train and score dev, unless that was done; returns the run's result.

        Raises:
            ValueError: If a finished run has the same name but other settings.
            HarnessError: If S3PRL stopped.
        """
        settings = self._settings()
        if (self.folder / "result.json").is_file():
            self._check_same(settings)
            return read_result(self.folder)
        if (self.folder / "settings.json").is_file():
            shutil.rmtree(self.folder)
        (self.folder / "cache").mkdir(parents=True)
        write_json(self.folder / "settings.json", settings)
        for split in ("dev", "test"):
            self._write_config(split)
        start, cpu_start = time.perf_counter(), time.process_time()
        self._call("-m", "train", "-c", str(self.folder / "dev.yaml"))
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
        result = {
            "dev": self._evaluate("dev"),
            "train_seconds": round(seconds, 1),
            "train_cpu_seconds": round(cpu, 1),
            "layer_weights": read_layer_weights(self._best_model()),
        }
        write_json(self.folder / "result.json", result)
        return result

    def score_test(self) -> dict:
        """Score test with the trained run's best model, unless that was done."""
        result = read_result(self.folder)
        if "test" not in result:
            result["test"] = self._evaluate("test")
            write_json(self.folder / "result.json", result)
        return result

    def _settings(self) -> dict:
        """What the result depends on, independent of the files' location."""
        upstream = asdict(self.upstream)
        return {
            "task": self.task,
            "upstream": {**upstream, "checkpoint": fingerprint(upstream["checkpoint"])},
            "config": yaml.safe_load(self.setup.read_conf(self.task)),
            "utterances": fingerprint(str(self.data / "utterances.tsv")),
            **{"lr": self.lr, "seed": self.seed, "steps": self.steps},
        }

    def _check_same(self, settings: dict) -> None:
        before = json.loads((self.folder / "settings.json").read_text(encoding="utf-8"))
        if odd := [key for key in settings if settings[key] != before.get(key)]:
            raise ValueError(
                f"{self.folder} was run with another {' and '.join(odd)}: name another "
                "--expdir or remove that folder"
            )

    def _write_config(self, split: str) -> None:
        """Write the configuration as S3PRL reads it."""
        text = self.setup.read_conf(self.task).replace("{split}", split)
        config = yaml.safe_load(text.replace("{data}", str(self.data.absolute())))
        config["optimizer"]["lr"] = self.lr
        config["runner"].update(
            total_steps=self.steps,
            eval_step=max(1, self.steps // EVALUATIONS),
            save_step=self.steps,
            log_step=max(1, self.steps // LOG_LINES),
        )
        text = yaml.safe_dump(config, sort_keys=False)
        write_text(self.folder / f"{split}.yaml", text)

    def _evaluate(self, split: str) -> dict[str, float]:
        name, config = TASKS[self.task].splits[split], self.folder / f"{split}.yaml"
        model = ("-i", str(self._best_model()), "-c", str(config))
        self._call("-m", "evaluate", "-t", name, *model)
        found = read_predictions(self.task, self.folder, self.data, split)
        return {metric: round(own.rate(), 4) for metric, own in found.items()}

    def _best_model(self) -> Path:
        """The best model on dev; the last one if the harness saved no best one."""
        best = self.folder / f"{TASKS[self.task].splits['dev']}-best.ckpt"
        return best if best.is_file() else best.with_name(f"states-{self.steps}.ckpt")

    def _call(self, *args: str) -> None:
        name, cache = TASKS[self.task].downstream, self.folder / "cache"
        expert = Expert(name, self.data, cache, self.setup.device, self.states)
        args = [*args, "-u", self.upstream.s3prl]
        if self.upstream.checkpoint:
            args += ["-k", self.upstream.checkpoint]
        args += ["-p", str(self.folder), "--seed", str(self.seed)]
        run_downstream(args, expert, self.folder / "harness.log")


def run_name(lr: float, seed: int, steps: int) -> str:
    """Name of a run's folder."""
    return f"lr{lr:g}_seed{seed}_steps{steps}"


def read_result(folder: Path) -> dict:
    """Result of a finished run: metrics, seconds, and layer weights."""
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def write_json(path: Path, content: dict) -> None:
    write_text(path, json.dumps(content, indent=1) + "\n")


def read_layer_weights(checkpoint: Path) -> list[float]:
    """The learned layer weights; empty for an upstream with one layer.

    S3PRL keeps the arguments of its command beside them. Nothing else is unpickled,
    whatever torch does by default: the folder may come from others.
    """
    torch.serialization.add_safe_globals([argparse.Namespace])
    states = read_saved(checkpoint).get("Featurizer", {})
    if "weights" not in states:
        return []
    return [round(weight, 4) for weight in states["weights"].softmax(dim=0).tolist()]


@lru_cache(maxsize=None)
def fingerprint(path: str) -> str:
    """SHA-256 of a file, or of all files of a checkpoint; empty for no path.

    Raises:
        ValueError: If there is nothing.
    """
    if not path:
        return ""
    path = find_local(path) or path
    files = [p for p in sorted(Path(path).rglob("*")) if p.is_file()] or [Path(path)]
    if not files[0].is_file():
        raise ValueError(f"{path} is missing or empty: expected a file or folder")
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
