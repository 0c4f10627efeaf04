"""Benchmark our joint pre-training step against three public ones.

Each contestant runs in its own process. After a warm-up they take turns with a few
timed steps (A B C D A B C D ...), while the others wait on a pipe.

    python -m espnet_uniwav.lab.benchmark.steps --size 6x384 --batch 8
    python -m espnet_uniwav.lab.benchmark.steps --size 12x768 --batch 2 --csv a.csv
    python -m espnet_uniwav.lab.benchmark.steps --batch 1 --seconds 5 10 20 --csv a.csv
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import statistics
import subprocess
import sys
from pathlib import Path

from espnet_uniwav.io.output import atomic_write, check_output

OURS = "uniwav"
CONTESTANTS = {
    OURS: "UniWav (ours), wav to update",
    "uniwav_visible": "UniWav, visible frames only",
    "uniwav_visible_2": "UniWav, visible frames, a view of two",
    "uniwav_visible_4": "UniWav, visible frames, a view of four",
    "uniwav_from_features": "UniWav, from features only",
    "uniwav_features": "UniWav, feature extraction alone",
    "uniwav_checkpointing": "UniWav, activation checkpointing",
    "uniwav_compile": "UniWav, compiled layers",
    "torchaudio": "torchaudio hubert_pretrain_model",
    "espnet": "ESPnet HuBERT (espnet2.tasks.ssl)",
    "huggingface": "Hugging Face Wav2Vec2ForPreTraining",
}
RARE = "visible_", "checkpointing", "compile"
USUAL = [name for name in CONTESTANTS if not any(word in name for word in RARE)]
SETTING = ["size", "batch", "seconds", "num_classes", "threads", "malloc", "device"]
SETTING += ["dtype", "wav", "conf", "seed"]
DTYPES = ["fp32", "fp16", "bf16"]
WORKER = "espnet_uniwav.lab.benchmark.worker"
CONF = Path("conf/train_tiny.yaml")  # of ssl1, in whose folder this is run


def size(text: str) -> str:
    """Check ``layers x width``."""
    layers, _, width = text.partition("x")
    if not (layers.isdigit() and width.isdigit() and int(layers) * int(width)):
        raise argparse.ArgumentTypeError(f"expected LAYERSxWIDTH, found {text}")
    if int(width) % 64:
        raise argparse.ArgumentTypeError(f"expected a width of n x 64, found {width}")
    return text


def get_parser() -> argparse.ArgumentParser:
    """Make the command line parser."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--size",
        type=size,
        default="6x384",
        help="layers x width; heads are 64 wide, FFN 4x",
    )
    add("--batch", type=int, default=8, help="utterances per step")
    add(
        "--seconds",
        type=float,
        nargs="+",
        default=[8.0],
        help="length of an utterance; several are measured one after the other",
    )
    add("--rounds", type=int, default=5, help="turns per contestant")
    add("--steps", type=int, default=3, help="timed steps per turn")
    add("--contestants", nargs="+", choices=CONTESTANTS, default=USUAL)
    add("--num_classes", type=int, default=100, help="labels of the HuBERT routes")
    add("--threads", type=int, default=os.cpu_count(), help="threads of torch")
    add(
        "--malloc",
        choices=["tuned", "default"],
        default="tuned",
        help="for all contestants",
    )
    add("--device", choices=["cpu", "cuda"], default="cpu")
    add("--dtype", choices=DTYPES, default="fp32", help="the others are autocast")
    add("--wav", nargs="*", default=[], help="16 kHz mono files instead of noise")
    add("--conf", default=str(CONF), help="our recipe; its sizes are replaced")
    add("--seed", type=int, default=0)
    add("--csv", help="also write the table here, with the setting in every row")
    return parser


class Worker:
    """A contestant in its own process; messages are lines of JSON.

    Args:
        name: Key of ``CONTESTANTS``, or ``peak``.
        setting: Shared settings of all contestants.
    """

    def __init__(self, name: str, setting: dict):
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-m", WORKER, name, json.dumps(setting)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": str(setting["threads"])},
        )
        self.facts = self.answer()

    def answer(self) -> dict:
        """Wait for the next line.

        Raises:
            RuntimeError: If the process ended instead.
        """
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"contestant {self.name} ended with status {self.process.wait()} "
                "instead of answering; its own message is above. Fix that, or "
                "leave it out with --contestants"
            )
        return json.loads(line)

    def measure(self, num_steps: int) -> dict:
        """Ask for timed steps and return their ``wall`` and ``cpu`` seconds."""
        print(num_steps, file=self.process.stdin, flush=True)
        return self.answer()

    def close(self) -> None:
        """End the process by closing its input."""
        self.process.stdin.close()
        self.process.wait()


def run_rounds(args: argparse.Namespace, setting: dict) -> list[dict]:
    """Start the contestants one by one, then measure them in turns.

    Returns:
        One dict per contestant: ``name``, its facts, and one item a round in the lists
        ``speed`` (audio seconds per second) and ``cpu`` (CPU seconds per audio second),
        where every view of the audio counts.
    """
    workers, results = [], []
    audio = args.batch * setting["seconds"] * args.steps
    try:
        for name in args.contestants:
            print(f"start {name}", file=sys.stderr)
            workers.append(Worker(name, setting))
            results.append({"name": name, **workers[-1].facts, "speed": [], "cpu": []})
        for number in range(args.rounds):
            print(f"round {number + 1} of {args.rounds}", file=sys.stderr)
            for worker, result in zip(workers, results):
                timing = worker.measure(args.steps)
                seen = audio * result["views"]
                result["speed"].append(seen / timing["wall"])
                result["cpu"].append(timing["cpu"] / seen)
                result["peak_mib"] = timing["peak_mib"]
    finally:
        for worker in workers:
            worker.close()
    return results


def summarise(results: list[dict]) -> list[dict]:
    """Compute medians, ranges and the ratio of our speed to each other contestant.

    The ratio is the median over rounds of ours / theirs within the same round.
    """
    ours = next((r["speed"] for r in results if r["name"] == OURS), None)
    rows = []
    for result in results:
        speed = result["speed"]
        row = {"contestant": CONTESTANTS[result["name"]]}
        row.update(spread("audio_s_per_s", speed))
        row.update(spread("cpu_s_per_audio_s", result["cpu"]))
        row["peak_mib"] = result["peak_mib"]
        row["live_mib"] = result["live_mib"]
        row["parameters"] = result["parameters"]
        row["gflop_per_audio_s"] = result["gflop_per_audio_s"]
        row["gflop_per_s"] = result["gflop_per_audio_s"] * row["audio_s_per_s_median"]
        ratios = [a / b for a, b in zip(ours, speed)] if ours else [float("nan")]
        row["ours_over_this"] = statistics.median(ratios)
        rows.append(row)
    return rows


def spread(name: str, values: list[float]) -> dict:
    """Return median, minimum and maximum under three column names."""
    return {
        f"{name}_median": statistics.median(values),
        f"{name}_min": min(values),
        f"{name}_max": max(values),
    }


def format_report(setting: dict, rounds: str, peak: float, rows: list[dict]) -> str:
    """Write the report as markdown."""
    lines = [
        "Encoder {size}, batch {batch} x {seconds:g} s, {dtype}, {device}, {threads} "
        "threads, malloc {malloc}, ".format(**setting)
        + f"{rounds}.",
        f"Peak of torch's fp32 matmul (1024^3) here: {peak:.0f} GFLOP/s.",
        "",
        "| contestant | audio s per s | CPU s per audio s | peak memory (MiB) "
        "| of tensors | trained parameters (M) | GFLOP/s | ours / this |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join(lines + [format_row(row) for row in rows])


def format_row(row: dict) -> str:
    """Write one row of the table."""
    cells = [row["contestant"]]
    for name in ("audio_s_per_s", "cpu_s_per_audio_s"):
        median, low, high = (row[f"{name}_{x}"] for x in ("median", "min", "max"))
        cells.append(f"{median:.3g} ({low:.3g} to {high:.3g})")
    cells += [f"{row['peak_mib']:.0f}", f"{row['live_mib']:.0f}"]
    cells.append(f"{row['parameters'] / 1e6:.2f}")
    cells.append(format_known(row["gflop_per_s"], ".0f"))
    cells.append(format_known(row["ours_over_this"], ".2f"))
    return f"| {' | '.join(cells)} |"


def format_known(value: float, spec: str) -> str:
    """Write a number, or a dash where there is none."""
    return "-" if math.isnan(value) else format(value, spec)


def describe(setting: dict, peak: float, rows: list[dict]) -> list[dict]:
    """Add the setting and the matmul peak to every row, for the table on disk."""
    names = {"wav": len(setting["wav"]), "conf": Path(setting["conf"]).name}
    setting = {**setting, **names, "matmul_gflop_per_s": peak}
    return [{**row, **setting} for row in rows]


def write_csv(path: str, rows: list[dict]) -> None:
    """Write rows of ``describe``."""
    with atomic_write(path) as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Run the benchmark and print its report."""
    args = get_parser().parse_args()
    if args.csv:
        check_output(args.csv)
    rounds = f"median (min to max) of {args.rounds} rounds of {args.steps} steps"
    table = []
    for seconds in args.seconds:
        setting = {name: getattr(args, name) for name in SETTING}
        setting["seconds"] = seconds
        matmul = Worker("peak", setting)
        matmul.close()
        peak = matmul.facts["gflop_per_s"]
        rows = summarise(run_rounds(args, setting))
        print(format_report(setting, rounds, peak, rows), flush=True)
        table += describe(setting, peak, rows)
        if args.csv:
            write_csv(args.csv, table)


if __name__ == "__main__":
    main()
