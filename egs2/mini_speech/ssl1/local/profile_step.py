"""Where the time of a training step goes: operators by their own CPU or GPU time.

python local/profile_step.py --size 6x384 --seconds 40
"""

from __future__ import annotations

import argparse

from espnet_uniwav.io.tables import markdown
from espnet_uniwav.lab.benchmark import steps, worker


def get_parser() -> argparse.ArgumentParser:
    """The options of ``steps`` but one system, and how many rows to show."""
    parser = steps.get_parser()
    parser.description = __doc__
    parser.add_argument("--rows", type=int, default=12, help="operators to show")
    parser.set_defaults(systems=[steps.OURS], steps=1)
    return parser


def profile(system, num_steps: int):
    """Profile a few steps; returns the averages by operator."""
    import torch
    from torch.profiler import ProfilerActivity

    activities = [ProfilerActivity.CPU]
    if system.setting.device == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profiler:
        for _ in range(num_steps):
            system.step(system.draw())
    return profiler.key_averages()


def format_profile(events, num_rows: int, device: str) -> str:
    """Write the operators that took longest as markdown."""
    times = {
        event.key: (getattr(event, f"self_{device}_time_total"), event.count)
        for event in events
    }
    total = sum(time for time, _ in times.values())
    rows = []
    for key in sorted(times, key=lambda key: -times[key][0])[:num_rows]:
        time, count = times[key]
        rows.append([key, f"{100 * time / total:.1f}", f"{time / 1000:.0f}", count])
    rows.append(["all", "100", f"{total / 1000:.0f}", ""])
    return markdown(("operator", "share %", "ms", "calls"), rows)


def main() -> None:
    """Profile one system at every length."""
    args = get_parser().parse_args()
    for seconds in args.seconds:
        setting = {name: getattr(args, name) for name in steps.SETTING}
        setting["seconds"] = seconds
        worker.prepare_process(setting)
        _, place, options = steps.SYSTEMS[args.systems[0]]
        system = worker.build_system(place, options, setting)
        system.step(system.draw())
        events = profile(system, args.steps)
        device = "cpu" if args.device == "cpu" else "device"
        print("{size}, {batch} x {seconds:g} s, {dtype}, {device}".format(**setting))
        print(format_profile(events, args.rows, device), flush=True)


if __name__ == "__main__":
    main()
