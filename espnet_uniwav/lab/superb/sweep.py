"""Runs S3PRL's downstream tasks for several upstreams and learning rates.

    python -m espnet_uniwav.lab.superb.sweep DATA EXP \
        --upstreams fbank=fbank NAME=UPSTREAM[:CHECKPOINT]

For every task and upstream each learning rate is trained with the first seed; the best
one on dev is trained with the other seeds and scored on test. What was tried and chosen
is in EXP/TASK/UPSTREAM/chosen.json. A finished run is not repeated; an interrupted
one starts again.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import replace
from pathlib import Path

from espnet_uniwav.cli.command import say_interrupted
from espnet_uniwav.io.output import write_text
from espnet_uniwav.lab.superb import runs
from espnet_uniwav.lab.superb.feature_cache import FeatureCache
from espnet_uniwav.lab.superb.harness import HarnessError
from espnet_uniwav.lab.superb.runs import Run, Setup, Upstream
from espnet_uniwav.lab.superb.settings import default, fingerprint
from espnet_uniwav.lab.superb.tasks import TASKS


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="what superb.layout wrote")
    parser.add_argument("exp", type=Path)
    parser.add_argument(
        "--upstreams", nargs="+", required=True, metavar="NAME=UPSTREAM[:CHECKPOINT]"
    )
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=["pr", "sid"])
    parser.add_argument(
        "--lrs", nargs="*", type=float, help="to choose from; none: of the conf file"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--steps", type=int, help="updates; none: of the conf file")
    parser.add_argument("--conf", type=Path, default=Path("conf"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--keep_gib",
        type=float,
        default=4.0,
        help="memory for the states of frozen upstreams; 0: compute them at every step",
    )
    parser.add_argument(
        "--harness_args", default="", help="more arguments of s3prl.run_downstream"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    args = get_parser().parse_args(argv)
    try:
        upstreams = [parse_upstream(entry) for entry in args.upstreams]
        _check_args(args, upstreams)
        more = tuple(args.harness_args.split())
        features = FeatureCache(args.keep_gib * 2**30) if args.keep_gib > 0 else None
        setup = Setup(args.data, args.exp, args.conf, args.device, more, features)
        for upstream in upstreams:
            for task in args.tasks:
                sweep(task, upstream, args, setup)
    except (HarnessError, OSError, ValueError) as error:
        print(f"sweep: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return say_interrupted("sweep")
    return 0


def sweep(task: str, upstream: Upstream, args, setup: Setup) -> None:
    """Chooses the learning rate of one task and upstream, then scores test."""
    steps = args.steps or default(task, setup.conf, "runner", "total_steps")
    lrs = args.lrs or [float(default(task, setup.conf, "optimizer", "lr"))]
    first = [Run(task, upstream, lr, args.seeds[0], steps) for lr in lrs]
    dev = {run.lr: _train(run, setup) for run in first}
    lr = choose(dev, TASKS[task].higher_is_better)
    for seed in args.seeds:
        run = replace(first[0], lr=lr, seed=seed)
        if run not in first:
            _train(run, setup)
        result = runs.score_test(run, setup)
        print(f"{_describe(run)}: test {_format(result['test'])}", flush=True)
    chosen = {"lr": lr, "dev": dev, "seeds": args.seeds, "steps": steps}
    path = setup.exp / task / upstream.name / "chosen.json"
    write_text(path, json.dumps(chosen, indent=1) + "\n")


def choose(dev: dict[float, float], higher_is_better: bool) -> float:
    """The learning rate with the best score; of equals the first, never a NaN."""
    sign = -1 if higher_is_better else 1
    return min(dev, key=lambda lr: math.inf if math.isnan(dev[lr]) else sign * dev[lr])


def parse_upstream(entry: str) -> Upstream:
    """Reads NAME=UPSTREAM[:CHECKPOINT].

    Raises:
        ValueError: it is not of that form.
    """
    name, found, rest = entry.partition("=")
    s3prl, _, checkpoint = rest.partition(":")
    if not (name and found and s3prl) or "/" in name:
        raise ValueError(
            f"--upstreams {entry}: expected NAME=UPSTREAM or NAME=UPSTREAM:CHECKPOINT, "
            "for example fbank=fbank or uniwav=uniwav_local:exp/checkpoint"
        )
    return Upstream(name, s3prl, checkpoint)


def _train(run: Run, setup: Setup) -> float:
    result = runs.train(run, setup)
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


def _check_args(args: argparse.Namespace, upstreams: list[Upstream]) -> None:
    names = [upstream.name for upstream in upstreams]
    if len(set(names)) < len(names):
        raise ValueError(f"--upstreams: names must differ, found {' '.join(names)}")
    for upstream in upstreams:
        fingerprint(upstream.checkpoint)
    if args.steps is not None and args.steps < 1:
        raise ValueError(f"--steps {args.steps}: expected 1 or more")
    if any(not lr > 0 for lr in args.lrs or ()):
        raise ValueError(f"--lrs {args.lrs}: expected numbers above 0")


if __name__ == "__main__":
    sys.exit(main())
