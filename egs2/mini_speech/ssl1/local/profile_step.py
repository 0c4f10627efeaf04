"""Where the time of a training step goes: operators by their own CPU or GPU time.

python local/profile_step.py --size 6x384 --batch 1 --seconds 40
python local/profile_step.py --size 12x768 --batch 4 --conf conf/train_base.yaml
"""

from __future__ import annotations

import argparse

import benchmark
import benchmark_worker


def get_parser() -> argparse.ArgumentParser:
    """The options of ``benchmark.py`` but one contestant, and how many rows to show."""
    parser = benchmark.get_parser()
    parser.description = __doc__
    parser.add_argument("--rows", type=int, default=12, help="operators to show")
    parser.set_defaults(contestants=[benchmark.OURS], steps=1)
    return parser


def profile(contestant, num_steps: int):
    """Profile a few steps; returns the averages by operator."""
    import torch
    from torch.profiler import ProfilerActivity

    activities = [ProfilerActivity.CPU]
    if contestant.setting.device == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profiler:
        for _ in range(num_steps):
            contestant.step(contestant.draw())
    return profiler.key_averages()


def format_profile(events, num_rows: int, device: str) -> str:
    """Write the operators that took longest as markdown."""
    times = {
        event.key: (getattr(event, f"self_{device}_time_total"), event.count)
        for event in events
    }
    total = sum(time for time, _ in times.values())
    lines = ["| operator | share % | ms | calls |", "|---|---|---|---|"]
    for key in sorted(times, key=lambda key: -times[key][0])[:num_rows]:
        time, count = times[key]
        cells = [key, f"{100 * time / total:.1f}", f"{time / 1000:.0f}", str(count)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, f"| all | 100 | {total / 1000:.0f} | |"])


def main() -> None:
    """Profile one contestant at every length."""
    args = get_parser().parse_args()
    for seconds in args.seconds:
        setting = {name: getattr(args, name) for name in benchmark.SETTING}
        setting["seconds"] = seconds
        benchmark_worker.prepare_process(setting)
        contestant = benchmark_worker.build_contestant(args.contestants[0], setting)
        benchmark_worker.warm_up(contestant)
        events = profile(contestant, args.steps)
        device = "cpu" if args.device == "cpu" else "device"
        print("{size}, {batch} x {seconds:g} s, {dtype}, {device}".format(**setting))
        print(format_profile(events, args.rows, device), flush=True)


if __name__ == "__main__":
    main()
