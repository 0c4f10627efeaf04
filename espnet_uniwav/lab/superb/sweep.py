"""Runs S3PRL's downstream tasks for several upstreams and learning rates.

    python -m espnet_uniwav.lab.superb.sweep DATA EXP \
        --upstreams fbank=fbank NAME=UPSTREAM[:CHECKPOINT]

For every task and upstream each learning rate is trained with the first seed; the best
one on dev is trained with the other seeds and scored on test. What was tried and chosen
is in EXP/TASK/UPSTREAM/chosen.json. A finished run is not repeated; an interrupted
one starts again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import yaml

from espnet_uniwav.cli.command import run_script
from espnet_uniwav.lab.superb.cached_upstream import StateCache
from espnet_uniwav.lab.superb.runs import Run, Setup, Upstream, fingerprint, write_json
from espnet_uniwav.lab.superb.scores import TASKS


def sweep(
    data: Path,
    exp: Path,
    upstreams: Sequence[str],
    tasks: Sequence[Literal["pr", "asr", "sid", "asv"]] = ("pr", "sid"),
    lrs: Sequence[float] = (),
    seeds: Sequence[int] = (0,),
    steps: int | None = None,
    conf: str | Path = "conf",
    device: str = "cpu",
    keep_gib: float = 4.0,
) -> None:
    """Train and score every task with every upstream.

    Args:
        data: Folder that ``superb.layout`` wrote.
        exp: Folder of the runs.
        upstreams: NAME=UPSTREAM or NAME=UPSTREAM:CHECKPOINT of each.
        tasks: Tasks to run.
        lrs: Learning rates to choose from; none: that of the conf file.
        seeds: Seeds; the learning rate is chosen with the first one.
        steps: Updates; None: those of the conf file.
        conf: Folder of the conf files.
        device: Torch device, such as cuda.
        keep_gib: Memory (GiB) for the states of an upstream; 0: compute them at every
            step.

    Raises:
        ValueError, OSError: Naming the option or file.
    """
    found = [parse_upstream(entry) for entry in upstreams]
    _check_options(found, steps, lrs)
    setup = Setup(data, exp, Path(conf), device)
    for upstream in found:
        states = StateCache(keep_gib * 2**30) if keep_gib > 0 else None
        for task in tasks:
            default = yaml.safe_load(setup.read_conf(task))
            number = steps or default["runner"]["total_steps"]
            rates = lrs or [float(default["optimizer"]["lr"])]
            run = Run(setup, task, upstream, rates[0], seeds[0], number, states)
            train_and_score([replace(run, lr=lr) for lr in rates], seeds)


def train_and_score(first: list[Run], seeds: Sequence[int]) -> None:
    """Choose the learning rate of one task and upstream, then score test.

    Args:
        first: A run with the first seed for each learning rate.
        seeds: All seeds.
    """
    task, run = TASKS[first[0].task], first[0]
    dev = {run.lr: _train(run) for run in first}
    lr = choose(dev, task.higher_is_better)
    for seed in seeds:
        run = replace(run, lr=lr, seed=seed)
        if run not in first:
            _train(run)
        print(f"{_describe(run)}: test {_format(run.score_test()['test'])}", flush=True)
    chosen = {"lr": lr, "dev": dev, "seeds": list(seeds), "steps": run.steps}
    write_json(run.folder.with_name("chosen.json"), chosen)


def choose(dev: dict[float, float], higher_is_better: bool) -> float:
    """The learning rate with the best score; of equals the first, never a NaN."""
    sign = -1 if higher_is_better else 1
    return min(dev, key=lambda lr: math.inf if math.isnan(dev[lr]) else sign * dev[lr])


def parse_upstream(entry: str) -> Upstream:
    """Read NAME=UPSTREAM[:CHECKPOINT].

    Raises:
        ValueError: If it is not of that form.
    """
    name, found, rest = entry.partition("=")
    s3prl, _, checkpoint = rest.partition(":")
    if not (name and found and s3prl) or "/" in name:
        raise ValueError(
            f"--upstreams {entry}: expected NAME=UPSTREAM or NAME=UPSTREAM:CHECKPOINT, "
            "for example fbank=fbank or uniwav=uniwav_local:exp/checkpoint"
        )
    return Upstream(name, s3prl, checkpoint)


def _train(run: Run) -> float:
    """Train a run; returns its first metric on dev."""
    result = run.train()
    print(
        f"{_describe(run)}: dev {_format(result['dev'])}, "
        f"trained in {result['train_seconds']} s",
        flush=True,
    )
    return result["dev"][TASKS[run.task].metrics[0]]


def _describe(run: Run) -> str:
    return f"{run.task} {run.upstream.name} lr {run.lr:g} seed {run.seed}"


def _format(metrics: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f} %" for name, value in metrics.items())


def _check_options(
    upstreams: list[Upstream], steps: int | None, lrs: Sequence[float]
) -> None:
    names = [upstream.name for upstream in upstreams]
    if len(set(names)) < len(names):
        raise ValueError(f"--upstreams: names must differ, found {' '.join(names)}")
    for upstream in upstreams:
        fingerprint(upstream.checkpoint)
    if steps is not None and steps < 1:
        raise ValueError(f"--steps {steps}: expected 1 or more")
    if any(not lr > 0 for lr in lrs):
        raise ValueError(f"--lrs {list(lrs)}: expected numbers above 0")


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(sweep, "data exp", argv)


if __name__ == "__main__":
    main()
