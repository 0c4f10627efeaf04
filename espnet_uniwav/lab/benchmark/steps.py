"""Benchmark our joint pre-training step against three public ones.

Each system runs in its own process. After a warm-up they take turns with a few
timed steps (A B C D A B C D ...), while the others wait on a pipe.

    python -m espnet_uniwav.lab.benchmark.steps --size 6x384 --batch 8
    python -m espnet_uniwav.lab.benchmark.steps --size 12x768 --batch 2 --csv a.csv
    python -m espnet_uniwav.lab.benchmark.steps --batch 1 --seconds 5 10 20 --csv a.csv
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from espnet_uniwav.io.output import check_output
from espnet_uniwav.io.tables import markdown, write_csv
from espnet_uniwav.lab.benchmark.turns import (
    CPU,
    OURS,
    SPEED,
    format_known,
    format_ranges,
    size,
    summarise,
)


class Entry(NamedTuple):
    """A system: its name in tables, and its class in this room."""

    title: str
    place: str


SYSTEMS = {
    OURS: Entry("UniWav (ours), wav to update", "ours.Uniwav"),
    "uniwav_visible": Entry("UniWav, visible frames only", "ours.UniwavVisible"),
    "uniwav_visible_2": Entry(
        "UniWav, visible frames, a view of two", "ours.UniwavVisible2"
    ),
    "uniwav_visible_4": Entry(
        "UniWav, visible frames, a view of four", "ours.UniwavVisible4"
    ),
    "uniwav_fast": Entry(
        "UniWav, decoder on half of the frames, teacher in bf16", "ours.UniwavFast"
    ),
    "uniwav_visible_fast": Entry(
        "UniWav, visible frames, the same", "ours.UniwavVisibleFast"
    ),
    "uniwav_from_features": Entry(
        "UniWav, from features only", "ours.UniwavFromFeatures"
    ),
    "uniwav_features": Entry("UniWav, feature extraction alone", "ours.UniwavFeatures"),
    "uniwav_checkpointing": Entry(
        "UniWav, activation checkpointing", "ours.UniwavCheckpointing"
    ),
    "uniwav_compile": Entry("UniWav, compiled layers", "ours.UniwavCompile"),
    "torchaudio": Entry(
        "torchaudio hubert_pretrain_model", "libraries.TorchaudioHubert"
    ),
    "espnet": Entry("ESPnet HuBERT (espnet2.tasks.ssl)", "libraries.EspnetHubert"),
    "huggingface": Entry(
        "Hugging Face Wav2Vec2ForPreTraining", "libraries.HuggingFaceWav2Vec2"
    ),
    "spidr_dinosr": Entry("spidr, DinoSR", "libraries.SpidrDinoSR"),
    "spidr": Entry("spidr, SpidR", "libraries.SpidrSpidR"),
}
RARE = "visible_", "fast", "checkpointing", "compile", "spidr"
USUAL = [name for name in SYSTEMS if not any(word in name for word in RARE)]
SETTING = ["size", "batch", "seconds", "num_classes", "threads", "malloc", "device"]
SETTING += ["dtype", "wav", "conf", "seed"]
DTYPES = ["fp32", "fp16", "bf16"]
WORKER = "espnet_uniwav.lab.benchmark.worker"
CONF = Path("conf/train_tiny.yaml")  # of ssl1, in whose folder this is run


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
    add("--rounds", type=int, default=5, help="turns per system")
    add("--steps", type=int, default=3, help="timed steps per turn")
    add("--systems", nargs="+", choices=SYSTEMS, default=USUAL)
    add("--num_classes", type=int, default=100, help="labels of the HuBERT routes")
    add("--threads", type=int, default=os.cpu_count(), help="threads of torch")
    add(
        "--malloc",
        choices=["tuned", "default"],
        default="tuned",
        help="for all systems",
    )
    add("--device", choices=["cpu", "cuda"], default="cpu")
    add("--dtype", choices=DTYPES, default="fp32", help="the others are autocast")
    add("--wav", nargs="*", default=[], help="16 kHz mono files instead of noise")
    add("--conf", default=str(CONF), help="our recipe; its sizes are replaced")
    add("--seed", type=int, default=0)
    add("--csv", help="also write the table here, with the setting in every row")
    return parser


class Worker:
    """A system in its own process; messages are lines of JSON.

    Args:
        name: Key of ``SYSTEMS``, or ``peak``.
        setting: Shared settings of all systems.
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
                f"system {self.name} ended with status {self.process.wait()} "
                "instead of answering; its own message is above. Fix that, or "
                "leave it out with --systems"
            )
        return json.loads(line)

    def measure(self, num_steps: int) -> dict:
        """Request timed steps and return their ``wall`` and ``cpu`` seconds."""
        print(num_steps, file=self.process.stdin, flush=True)
        return self.answer()

    def close(self) -> None:
        """End the process by closing its input."""
        self.process.stdin.close()
        self.process.wait()


def run_rounds(args: argparse.Namespace, setting: dict) -> list[dict]:
    """Start the systems one by one, then measure them in turns.

    Returns:
        One row per system: ``system``, its facts, and what ``summarise`` returns, where
        every view of the audio counts.
    """
    workers, turns, rows = [], [], []
    audio = args.batch * setting["seconds"] * args.steps
    try:
        for name in args.systems:
            print(f"start {name}", file=sys.stderr)
            workers.append(Worker(name, setting))
            turns.append([])
        for number in range(args.rounds):
            print(f"round {number + 1} of {args.rounds}", file=sys.stderr)
            for worker, own in zip(workers, turns):
                timing = worker.measure(args.steps)
                seen = audio * worker.facts["views"]
                speeds = {SPEED: seen / timing["wall"], CPU: timing["cpu"] / seen}
                own.append({**timing, **speeds})
    finally:
        for worker in workers:
            worker.close()
    ours = next((t for w, t in zip(workers, turns) if w.name == OURS), [])
    for worker, own in zip(workers, turns):
        row = {"system": SYSTEMS[worker.name].title, **worker.facts}
        row.update(summarise(own, ours), peak_mib=own[-1]["peak_mib"])
        row["gflop_per_s"] = row["gflop_per_audio_s"] * row[f"{SPEED}_median"]
        rows.append(row)
    return rows


def format_report(setting: dict, rounds: str, peak: float, rows: list[dict]) -> str:
    """Write the report as markdown."""
    columns = (
        *("system", "audio s per s", "CPU s per audio s", "peak memory (MiB)"),
        *("of tensors", "trained parameters (M)", "GFLOP/s", "ours / this"),
    )
    lines = [
        "Encoder {size}, batch {batch} x {seconds:g} s, {dtype}, {device}, {threads} "
        "threads, malloc {malloc}, ".format(**setting)
        + f"{rounds}.",
        f"Peak of torch's fp32 matmul (1024^3) here: {peak:.0f} GFLOP/s.",
        "",
        markdown(columns, map(format_row, rows)),
    ]
    return "\n".join(lines)


def format_row(row: dict) -> list[str]:
    """Cells of one row of the table."""
    return [
        *(row["system"], *format_ranges(row)),
        *(f"{row['peak_mib']:.0f}", f"{row['live_mib']:.0f}"),
        f"{row['parameters'] / 1e6:.2f}",
        format_known(row["gflop_per_s"], ".0f"),
        format_known(row["ours_over_this"], ".2f"),
    ]


def describe(setting: dict, peak: float, rows: list[dict]) -> list[dict]:
    """Add the setting and the matmul peak to every row, for the table on disk."""
    names = {"wav": len(setting["wav"]), "conf": Path(setting["conf"]).name}
    setting = {**setting, **names, "matmul_gflop_per_s": peak}
    return [{**row, **setting} for row in rows]


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
        rows = run_rounds(args, setting)
        print(format_report(setting, rounds, peak, rows), flush=True)
        table += describe(setting, peak, rows)
        if args.csv:
            write_csv(args.csv, table)


if __name__ == "__main__":
    main()
