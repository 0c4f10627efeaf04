"""Benchmark our joint pre-training step, and extraction, against public ones.

Each system runs in its own process. After a warm-up they take turns with a few
timed steps (A B C D A B C D ...), while the others wait.

    python -m espnet_uniwav.lab.benchmark.steps --size 6x384 --batch 8
    python -m espnet_uniwav.lab.benchmark.steps --size 12x768 --batch 2 --csv a.csv
    python -m espnet_uniwav.lab.benchmark.steps --batch 1 --seconds 5 10 20 --csv a.csv
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from espnet_uniwav.io.output import check_output
from espnet_uniwav.io.tables import markdown, write_csv
from espnet_uniwav.lab.benchmark import worker


class Entry(NamedTuple):
    """A system: its name in tables, its class in this room, and its options."""

    title: str
    place: str
    options: dict = {}


OURS = "uniwav"
SYSTEMS = {
    OURS: Entry("UniWav (ours), wav to update", "ours.Uniwav"),
    "uniwav_visible": Entry(
        "UniWav, visible frames only", "ours.Uniwav", {"visible_only": True}
    ),
    "uniwav_visible_2": Entry(
        "UniWav, visible frames, a view of two",
        "ours.Uniwav",
        {"visible_only": True, "num_views": 2},
    ),
    "uniwav_visible_4": Entry(
        "UniWav, visible frames, a view of four",
        "ours.Uniwav",
        {"visible_only": True, "num_views": 4},
    ),
    "uniwav_fast": Entry(
        "UniWav, decoder on half of the frames, teacher in bf16",
        "ours.Uniwav",
        {"fast": True},
    ),
    "uniwav_visible_fast": Entry(
        "UniWav, visible frames, the same",
        "ours.Uniwav",
        {"visible_only": True, "fast": True},
    ),
    "uniwav_fused": Entry(
        "UniWav, PyTorch's gradient of attention", "ours.Uniwav", {"fused": True}
    ),
    "uniwav_from_features": Entry(
        "UniWav, from features only", "ours.UniwavFromFeatures"
    ),
    "uniwav_features": Entry("UniWav, feature extraction alone", "ours.UniwavFeatures"),
    "uniwav_checkpointing": Entry(
        "UniWav, activation checkpointing", "ours.Uniwav", {"checkpointing": True}
    ),
    "uniwav_compile": Entry(
        "UniWav, compiled layers", "ours.Uniwav", {"compile": True}
    ),
    "torchaudio": Entry(
        "torchaudio hubert_pretrain_model", "libraries.TorchaudioHubert"
    ),
    "espnet": Entry("ESPnet HuBERT (espnet2.tasks.ssl)", "libraries.EspnetHubert"),
    "huggingface": Entry(
        "Hugging Face Wav2Vec2ForPreTraining", "libraries.HuggingFaceWav2Vec2"
    ),
    "spidr_dinosr": Entry("spidr, DinoSR", "libraries.SpidrDinoSR"),
    "spidr": Entry("spidr, SpidR", "libraries.SpidrSpidR"),
    "extract_uniwav": Entry(
        "extraction, UniWav (ours), rotary positions",
        "upstreams.UniwavUpstream",
        {"position": "rotary"},
    ),
    "extract_uniwav_conv": Entry(
        "extraction, UniWav (ours), convolutions and ALiBi",
        "upstreams.UniwavUpstream",
        {"position": "conv_alibi"},
    ),
    "extract_hubert": Entry("extraction, S3PRL's HuBERT", "upstreams.HubertUpstream"),
}
USUAL = [OURS, "uniwav_from_features", "uniwav_features"]
USUAL += ["torchaudio", "espnet", "huggingface"]
SETTING = ["size", "batch", "seconds", "num_classes", "threads", "malloc", "device"]
SETTING += ["dtype", "wav", "conf", "seed"]
DTYPES = ["fp32", "fp16", "bf16"]
CONF = Path("conf/train_tiny.yaml")  # of ssl1, in whose folder this is run
# Of one turn: seconds of audio per second, CPU seconds per second of audio.
SPEED, CPU = "audio_s_per_s", "cpu_s_per_audio_s"


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
    add("--systems", nargs="+", choices=SYSTEMS, default=USUAL, metavar="SYSTEM")
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
    add("--wav", nargs="*", default=[], help="files to read instead of noise")
    add("--conf", default=str(CONF), help="our recipe; its sizes are replaced")
    add("--seed", type=int, default=0)
    add("--csv", help="also write the table here, with the setting in every row")
    return parser


def size(text: str) -> str:
    """Check ``layers x width``; heads are 64 wide, feed-forward networks 4 times D."""
    layers, _, width = text.partition("x")
    if not (layers.isdigit() and width.isdigit() and int(layers) * int(width)):
        raise argparse.ArgumentTypeError(f"expected LAYERSxWIDTH, found {text}")
    if int(width) % 64:
        raise argparse.ArgumentTypeError(f"expected a width of n x 64, found {width}")
    return text


def run_rounds(args: argparse.Namespace, setting: dict) -> list[dict]:
    """Start the systems one by one, then measure them in turns.

    Returns:
        One row per system: ``system``, its facts, and what ``summarise`` returns, where
        every view of the audio counts.

    Raises:
        RuntimeError: Naming the system that failed.
    """
    turns, facts = {name: [] for name in args.systems}, {}
    with ExitStack() as stack:
        pools = {n: stack.enter_context(open_process(setting)) for n in args.systems}
        name = ""
        try:
            for name, pool in pools.items():
                print(f"start {name}", file=sys.stderr)
                _, place, options = SYSTEMS[name]
                work = pool.submit(worker.start, place, options, setting)
                facts[name] = work.result()
            for number in range(args.rounds):
                print(f"round {number + 1} of {args.rounds}", file=sys.stderr)
                for name, pool in pools.items():
                    turn = pool.submit(worker.measure, args.steps).result()
                    turn[SPEED] = turn["audio_s"] / turn["wall"]
                    turn[CPU] = turn["cpu"] / turn["audio_s"]
                    turns[name].append(turn)
        except Exception as error:
            raise RuntimeError(
                f"system {name}: {type(error).__name__}: {error}. Fix that, or leave "
                "it out with --systems"
            ) from error
    rows = []
    for name, own in turns.items():
        row = {"system": SYSTEMS[name].title, **facts[name]}
        row.update(summarise(own, turns.get(OURS, [])), peak_mib=own[-1]["peak_mib"])
        row["gflop_per_s"] = row["gflop_per_audio_s"] * row[f"{SPEED}_median"]
        rows.append(row)
    return rows


def open_process(setting: dict) -> ProcessPoolExecutor:
    """A process of its own, which starts with its first work."""
    os.environ["OMP_NUM_THREADS"] = str(setting["threads"])
    context, start = get_context("spawn"), worker.prepare_process
    return ProcessPoolExecutor(1, context, initializer=start, initargs=(setting,))


def summarise(turns: list[dict], ours: list[dict]) -> dict:
    """Median, minimum and maximum over rounds, and how many times as fast ours is.

    Args:
        turns: Of one system, a turn in each round.
        ours: The same of our system; empty: it took no part.

    Returns:
        ``KEY_median``, ``KEY_min`` and ``KEY_max`` of both keys; ``ours_over_this``,
        the median of the ratios within a round.
    """
    row = {}
    for key in (SPEED, CPU):
        values = [turn[key] for turn in turns]
        row[f"{key}_median"] = statistics.median(values)
        row[f"{key}_min"], row[f"{key}_max"] = min(values), max(values)
    ratios = [own[SPEED] / turn[SPEED] for own, turn in zip(ours, turns)]
    row["ours_over_this"] = statistics.median(ratios) if ratios else math.nan
    return row


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
    """Cells of one row of the table; speed and CPU time as median (min to max)."""
    ranges = (
        [row[f"{key}_{name}"] for name in ("median", "min", "max")]
        for key in (SPEED, CPU)
    )
    known = (("gflop_per_s", ".0f"), ("ours_over_this", ".2f"))
    return [
        row["system"],
        *("{:.3g} ({:.3g} to {:.3g})".format(*own) for own in ranges),
        *(f"{row['peak_mib']:.0f}", f"{row['live_mib']:.0f}"),
        f"{row['parameters'] / 1e6:.2f}",
        *("-" if math.isnan(row[k]) else format(row[k], spec) for k, spec in known),
    ]


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
        with open_process(setting) as pool:
            peak = pool.submit(worker.measure_peak, args.device).result()
        rows = run_rounds(args, setting)
        print(format_report(setting, rounds, peak, rows), flush=True)
        more = {**setting, "wav": len(args.wav), "conf": Path(args.conf).name}
        table += [{**row, **more, "matmul_gflop_per_s": peak} for row in rows]
        if args.csv:
            write_csv(args.csv, table)


if __name__ == "__main__":
    main()
