"""Benchmark feature extraction: our S3PRL upstream beside HuBERT's at equal size.

All systems are built through ``s3prl.hub`` with random weights (no download) and
called as ``run_downstream`` calls a frozen upstream: eval mode, no gradients, a list of
wavs of 2 to 15 seconds. They take turns in one process (A B C A B C ...).

    python -m espnet_uniwav.lab.benchmark.extraction --sizes 6x256 12x768 --csv a.csv
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path

from espnet_uniwav.io.audio import SAMPLE_RATE
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

SYSTEMS = {
    OURS: "UniWav (ours), rotary positions",
    "uniwav_conv_alibi": "UniWav (ours), convolutions and ALiBi",
    "hubert": "S3PRL's HuBERT (architecture of `hubert_base`)",
}


def get_parser() -> argparse.ArgumentParser:
    """Make the command line parser."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--sizes", nargs="+", type=size, default=["6x256"], help="LAYERSxWIDTH")
    add("--batches", nargs="+", type=int, default=[1, 8], help="utterances per call")
    add("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    add("--utterances", type=int, default=16, help="in one pass")
    add("--seconds", nargs=2, type=float, default=[2.0, 15.0], help="shortest, longest")
    add("--rounds", type=int, default=5, help="how often everybody has a turn")
    add("--threads", type=int, default=os.cpu_count(), help="threads of torch")
    add("--malloc", choices=["tuned", "default"], default="tuned", help="for everybody")
    add("--seed", type=int, default=0, help="of lengths, noise and weights")
    add("--csv", help="also write the table here")
    return parser


def build_uniwav(folder: Path, layers: int, width: int, position: str = "rotary"):
    """``uniwav_local`` of an untrained checkpoint."""
    from s3prl import hub

    from espnet_uniwav.core.checkpoint import save_checkpoint
    from espnet_uniwav.core.model import UniWav

    encoder = dict(num_layers=layers, embed_dim=width, num_heads=width // 64)
    encoder.update(ffn_dim=4 * width, position=position)
    config = {"features": {"name": "log_mel"}, "encoder": encoder}
    save_checkpoint(UniWav.from_config(config), config, folder)
    return hub.uniwav_local(ckpt=folder)


def build_hubert(folder: Path, layers: int, width: int):
    """``hubert_local`` of an untrained checkpoint, converted as S3PRL's own are."""
    import torch
    from s3prl import hub
    from s3prl.upstream.hubert import hubert_model

    task = dict(label_rate=50.0, normalize=False)
    model = dict(
        label_rate=50.0,
        encoder_layers=layers,
        encoder_embed_dim=width,
        encoder_ffn_embed_dim=4 * width,
        encoder_attention_heads=width // 64,
        final_dim=256,
    )
    symbols = [[str(number) for number in range(500)]]
    weights = hubert_model.HubertModel(
        hubert_model.HubertConfig(**model),
        hubert_model.HubertPretrainingConfig(**task),
        symbols,
    ).state_dict()
    content = dict(task_cfg=task, model_cfg=model, model_weight=weights)
    torch.save({**content, "dictionaries_symbols": symbols}, folder)
    return hub.hubert_local(ckpt=str(folder))


def build(name: str, layers: int, width: int):
    """Build one system."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        if name == "hubert":
            return build_hubert(path, layers, width).eval()
        position = "rotary" if name == OURS else "conv_alibi"
        return build_uniwav(path, layers, width, position).eval()


def draw_batches(args: argparse.Namespace, batch: int) -> list[list]:
    """The same utterances for every batch size: noise, lengths uniform in seconds."""
    import torch

    generator = torch.Generator().manual_seed(args.seed)
    low, high = args.seconds
    share = torch.rand(args.utterances, generator=generator)
    lengths = (SAMPLE_RATE * (low + (high - low) * share)).long().tolist()
    wavs = [0.1 * torch.randn(length, generator=generator) for length in lengths]
    return [wavs[i : i + batch] for i in range(0, len(wavs), batch)]


def take_turn(upstream, batches: list[list]) -> dict:
    """Extract everything once; wall and CPU seconds per second of audio."""
    import torch

    audio = sum(len(wav) for wavs in batches for wav in wavs) / SAMPLE_RATE
    wall, cpu = time.perf_counter(), time.process_time()
    with torch.no_grad():
        for wavs in batches:
            states = upstream(wavs)["hidden_states"]
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if not states[-1].isfinite().all():
        raise FloatingPointError(f"{type(upstream).__name__}: states are not finite")
    return {SPEED: audio / wall, CPU: cpu / audio}


def compare(args: argparse.Namespace, shape: str) -> list[dict]:
    """Rows of one size: a warm-up, then rounds in which everybody has a turn."""
    layers, width = map(int, shape.split("x"))
    upstreams = {name: build(name, layers, width) for name in args.systems}
    rows = []
    for batch in args.batches:
        batches = draw_batches(args, batch)
        turns = {name: [] for name in upstreams}
        for number in range(args.rounds + 1):
            print(f"{shape}, batch {batch}, round {number}", file=sys.stderr)
            for name, upstream in upstreams.items():
                turns[name].append(take_turn(upstream, batches))
        for name, upstream in upstreams.items():
            row = {"size": shape, "batch": batch, "system": name}
            row["parameters"] = sum(p.numel() for p in upstream.parameters())
            rows.append({**row, **summarise(turns[name][1:], turns.get(OURS, [])[1:])})
    return rows


def format_report(args: argparse.Namespace, rows: list[dict]) -> str:
    """Write the report as markdown."""
    low, high = args.seconds
    columns = (
        *("size", "batch", "system", "parameters (M)", "audio s per s"),
        *("CPU s per audio s", "ours / this"),
    )
    lines = [
        f"{args.utterances} utterances of {low:g} to {high:g} s (seed {args.seed}), "
        f"fp32, {args.threads} threads, malloc {args.malloc}, median (min to max) of "
        f"{args.rounds} rounds.",
        "",
        markdown(columns, map(format_row, rows)),
    ]
    return "\n".join(lines)


def format_row(row: dict) -> list[str]:
    """Cells of one row of the table."""
    return [
        *(row["size"], row["batch"], SYSTEMS[row["system"]]),
        *(f"{row['parameters'] / 1e6:.2f}", *format_ranges(row)),
        format_known(row["ours_over_this"], ".2f"),
    ]


def describe(args: argparse.Namespace, rows: list[dict]) -> list[dict]:
    """Add the setting to every row, for the table on disk."""
    names = ("utterances", "rounds", "threads", "malloc", "seed")
    setting = {name: getattr(args, name) for name in names}
    setting.update(min_seconds=args.seconds[0], max_seconds=args.seconds[1])
    return [{**row, **setting} for row in rows]


def prepare(args: argparse.Namespace) -> None:
    """Set the allocator (before torch is imported), threads, seed; import the hub."""
    if args.malloc == "tuned":
        from espnet_uniwav.run import tune_malloc

        tune_malloc()
    import torch

    from espnet_uniwav import plugin

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    with contextlib.redirect_stdout(sys.stderr):
        plugin.register_s3prl()


def main() -> None:
    """Run the benchmark and print its report."""
    args = get_parser().parse_args()
    if args.csv:
        check_output(args.csv)
    prepare(args)
    rows = [row for shape in args.sizes for row in compare(args, shape)]
    print(format_report(args, rows))
    if args.csv:
        write_csv(args.csv, describe(args, rows))


if __name__ == "__main__":
    main()
