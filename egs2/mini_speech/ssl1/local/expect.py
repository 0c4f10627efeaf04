"""Estimate GPU memory and hours of a configuration from measured steps.

    python -m espnet_uniwav.lab.benchmark.steps --size 12x768 --dtype bf16 \
        --conf conf/train_base.yaml --systems uniwav --seconds 15 --batch 1 \
        --csv one.csv
    ... --batch 3 --csv three.csv
    python local/expect.py one.csv three.csv --conf conf/train_base.yaml --num_gpus 4

Memory is a straight line through the peaks of the tensors in two batches or more; a
process on a GPU needs about 1 GiB besides. Hours: a table of a
GPU is taken at its word; in one of a CPU the operations are what counts, done at
``--utilisation`` of the GPU's peak, which is an assumption.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

from espnet_uniwav.io.audio import SAMPLE_RATE
from espnet_uniwav.io.config import resolve
from espnet_uniwav.io.tables import read_rows
from espnet_uniwav.lab.benchmark.steps import SYSTEMS

# bf16 matrix products without sparsity, TFLOP/s, by the makers' data sheets.
GPUS = {"v100": 125, "rtx4090": 165, "a100": 312, "h100": 989, "h200": 989}


def read_steps(paths: list[Path], system: str) -> list[dict]:
    """Read the rows of one system.

    Raises:
        ValueError: If fewer than two batches were measured, or not with one size.
    """
    rows = []
    for path in paths:
        rows += [row for _, row in read_rows(path)[1] if row["system"] == system]
    audio = {float(row["batch"]) * float(row["seconds"]) for row in rows}
    kinds = {(row["size"], row["dtype"], row["device"]) for row in rows}
    if len(audio) < 2 or len(kinds) > 1:
        raise ValueError(
            f"{', '.join(map(str, paths))}: expected '{system}' with two batches "
            f"or more and one size, type and device, found {len(audio)} of "
            f"{sorted(kinds)}: measure with --batch"
        )
    return rows


def fit_memory(rows: list[dict]) -> tuple[float, float]:
    """Fit GiB = fixed + slope * seconds of audio in the batch; return both."""
    audio = [float(row["batch"]) * float(row["seconds"]) for row in rows]
    memory = [float(row["live_mib"]) / 1024 for row in rows]
    slope, fixed = statistics.linear_regression(audio, memory)
    return fixed, slope


def expect_seconds(row: dict, audio: float, args: argparse.Namespace) -> float:
    """Seconds that one GPU takes for a batch of ``audio`` seconds."""
    if row["device"] == "cuda":
        return audio / float(row["audio_s_per_s_median"])
    work = audio * float(row["gflop_per_audio_s"])
    return work / (1000 * GPUS[args.gpu] * args.utilisation)


def get_parser() -> argparse.ArgumentParser:
    """Make the command line parser."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("tables", type=Path, nargs="+", help="CSV files of the steps")
    add("--conf", type=Path, required=True, help="its batch and its updates count")
    add("--gpu", choices=GPUS, default="a100", help="for tables of a CPU")
    add("--num_gpus", type=int, default=1)
    add("--utilisation", type=float, default=0.3, help="of the GPU's peak; assumed")
    add("--checkpointing", action="store_true", help="of the system with it")
    return parser


def main() -> None:
    """Print the estimate as one line."""
    args = get_parser().parse_args()
    try:
        conf = resolve(args.conf)
        system = SYSTEMS["uniwav_checkpointing" if args.checkpointing else "uniwav"]
        rows = read_steps(args.tables, system.title)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    fixed, slope = fit_memory(rows)
    # ESPnet shares a batch among the GPUs.
    audio = conf["batch_bins"] / SAMPLE_RATE / args.num_gpus
    updates = conf["scheduler_conf"]["max_steps"]
    accumulated = conf.get("accum_grad", 1)
    step = expect_seconds(rows[-1], audio, args)
    where = "measured there"
    if rows[-1]["device"] != "cuda":
        work = float(rows[-1]["gflop_per_audio_s"])
        where = (
            f"{work:.0f} GFLOP per second of audio at {args.utilisation:.0%} of the "
            f"peak of {args.gpu}"
        )
    memory = f"{fixed:.1f} GiB + {1024 * slope:.1f} MiB per second of audio"
    print(
        f"{args.conf.name}, {args.num_gpus} GPU(s): {memory} = "
        f"{fixed + slope * audio:.0f} GiB each for {audio:.0f} s; {updates} updates in "
        f"{updates * accumulated * step / 3600:.0f} hours ({where})"
    )


if __name__ == "__main__":
    main()
