"""Check and measure everything that a GPU does, in about ten minutes.

    python -m espnet_uniwav.lab.benchmark.gpu_check --output gpu.md
    python -m espnet_uniwav.lab.benchmark.gpu_check --device cpu     # rehearsal, small

It is run in the folder of ssl1, whose configurations it takes. A part that fails does
not stop the others.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from espnet_uniwav.io.output import check_output, write_text
from espnet_uniwav.io.tables import markdown

PARTS = ("sizes", "options", "longest", "speaking", "tokens")
# Key of a row of steps -> head of its column, and format.
STEPS = {
    "size": ("size", "{}"),
    "dtype": ("type", "{}"),
    "option": ("option", "{}"),
    "first": ("loss, first", "{:.3f}"),
    "last": ("last", "{:.3f}"),
    "difference": ("off the CPU's", "{:.2%}"),
    "audio_s_per_s": ("audio s per s", "{:.3g}"),
    "peak_mib": ("peak MiB", "{:.0f}"),
    "peak_share": ("of the peak FLOP/s", "{:.0%}"),
}


def get_parser() -> argparse.ArgumentParser:
    """Make the command line parser."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--device", choices=["cuda", "cpu"], default="cuda")
    add("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    add("--conf", type=Path, default=Path("conf"), help="folder of train_*.yaml")
    add("--threads", type=int, help="threads of torch; default: its own choice")
    add("--output", type=Path, help="also write the tables here, as markdown")
    return parser


def find_part(name: str):
    """The function of a part: a plan -> rows."""
    from espnet_uniwav.lab.benchmark import check_generation, check_training

    room = check_generation if name in ("speaking", "tokens") else check_training
    return getattr(room, f"check_{name}")


def run_part(name: str, plan) -> Iterator[dict]:
    """Rows of a part; the last one has ``error`` if it failed."""
    print(f"{time.strftime('%H:%M:%S')} {name}", file=sys.stderr, flush=True)
    try:
        for row in find_part(name)(plan):
            print(f"    {row}", file=sys.stderr, flush=True)
            yield dict(part=name, **row)
    except Exception as error:  # the next part may still work
        reason = str(error).strip().partition("\n")[0]
        yield dict(part=name, error=f"{type(error).__name__}: {reason}", ok=False)


def describe_device(plan) -> str:
    """The device, and its peak in every type."""
    import torch

    from espnet_uniwav.lab.benchmark.check_training import TOLERANCE, peak_of

    name = "CPU (a rehearsal: small settings)"
    if plan.device == "cuda":
        name = torch.cuda.get_device_name()
    peaks = [f"{dtype} {peak_of(plan, dtype) / 1000:.3g}" for dtype in TOLERANCE]
    return (
        f"{name}, torch {torch.__version__}. Peak of a matrix product of "
        f"{plan.matrix}: {', '.join(peaks)} TFLOP/s."
    )


def format_tables(device: str, rows: list[dict], seconds: float) -> str:
    """Write steps, batches and generation as markdown."""
    steps = [row for row in rows if "peak_mib" in row]
    others = [row for row in rows if "peak_mib" not in row]
    heads = [head for head, _ in STEPS.values()]
    return "\n".join(
        [
            *(f"{device} {seconds:.0f} s in all.", ""),
            *(markdown(heads, map(step_cells, steps)), ""),
            markdown(("check", "result"), map(describe, others)),
        ]
    )


def step_cells(row: dict) -> list[str]:
    """Cells of a training step, the last one marked if it is wrong."""
    *cells, last = (form.format(row[key]) for key, (_, form) in STEPS.items())
    return [*cells, last + ("" if row["ok"] else " WRONG")]


def describe(row: dict) -> tuple[str, str]:
    """Name and result of a row that is no training step."""
    if "error" in row:
        return row["part"], f"failed: {row['error']}"
    if "seconds" in row:
        option = f" with {row['option']}" if row["option"] else ""
        more = " or more" if row["all"] else ""
        return f"largest batch{option}", f"{row['seconds']:.0f} s of audio{more}"
    return row["check"], row["value"] + ("" if row["ok"] else " WRONG")


def main(argv: list[str] | None = None) -> None:
    """Run all parts and print their tables; exit status 1 if anything is wrong."""
    args = get_parser().parse_args(argv)
    import torch

    from espnet_uniwav.lab.benchmark.plan import PLANS

    if args.device == "cuda" and not torch.cuda.is_available():
        sys.exit("no GPU found: rehearse with --device cpu")
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.output:
        check_output(args.output)
    start = time.perf_counter()
    plan = replace(PLANS[args.device], conf=args.conf)
    device, rows = describe_device(plan), []
    for name in args.parts:
        rows += run_part(name, plan)
        tables = format_tables(device, rows, time.perf_counter() - start)
        if args.output:
            write_text(args.output, tables + "\n")
    print(tables)
    if not all(row.get("ok", True) for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
