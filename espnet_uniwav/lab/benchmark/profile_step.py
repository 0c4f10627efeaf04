"""Where the time of a training step goes: operators by their own CPU or GPU time.

python -m espnet_uniwav.lab.benchmark.profile_step --size 6x384 --seconds 40
"""

from __future__ import annotations

import argparse

from espnet_uniwav.lab.benchmark import steps, worker


def get_parser() -> argparse.ArgumentParser:
    """The options of ``steps`` but one contestant, and how many rows to show."""
    parser = steps.get_parser()
    parser.description = __doc__
    parser.add_argument("--rows", type=int, default=12, help="operators to show")
    parser.set_defaults(contestants=[steps.OURS], steps=1)
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
        setting = {name: getattr(args, name) for name in steps.SETTING}
        setting["seconds"] = seconds
        worker.prepare_process(setting)
        contestant = worker.build_contestant(args.contestants[0], setting)
        worker.warm_up(contestant)
        events = profile(contestant, args.steps)
        device = "cpu" if args.device == "cpu" else "device"
        print("{size}, {batch} x {seconds:g} s, {dtype}, {device}".format(**setting))
        print(format_profile(events, args.rows, device), flush=True)


if __name__ == "__main__":
    main()
