"""Draw how memory and time of a step grow with the length of the audio.

python -m espnet_uniwav.lab.benchmark.steps --batch 1 --seconds 5 10 20 40 --csv a.csv
python -m espnet_uniwav.lab.benchmark.growth a.csv --output growth.png
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

from matplotlib import pyplot as plt

from espnet_uniwav.io.output import atomic_write
from espnet_uniwav.lab.report import pictures

COLORS = [pictures.BLUE, pictures.SKY, pictures.ORANGE, pictures.GREEN]


def read_table(path: Path) -> dict[str, list[tuple[float, float, float]]]:
    """Read a table of ``espnet_uniwav.lab.benchmark.steps``.

    Returns:
        For every contestant, by length: seconds, GiB of the process, CPU seconds per
        second of audio.
    """
    found = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["contestant"]].append(
                (
                    float(row["seconds"]),
                    float(row["peak_mib"]) / 1024,
                    float(row["cpu_s_per_audio_s_median"]),
                )
            )
    return {name: sorted(points) for name, points in found.items()}


def format_growth(table: dict[str, list[tuple[float, float, float]]]) -> str:
    """Write memory and time at every length, and how much both grow, as markdown."""
    lengths = [f"{point[0]:g} s" for point in next(iter(table.values()))]
    cells = ["", *lengths, "per second of audio more", *lengths, "last / first"]
    lines = [f"| {' | '.join(cells)} |", "|---" * len(cells) + "|"]
    for name, points in table.items():
        seconds, memory, time = zip(*points)
        slope = (memory[-1] - memory[0]) / (seconds[-1] - seconds[0])
        cells = [name, *(f"{x:.2f} GiB" for x in memory), f"{1024 * slope:.0f} MiB"]
        cells += [*(f"{x:.3f}" for x in time), f"{time[-1] / time[0]:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


@pictures.styled
def draw_growth(table: dict[str, list[tuple[float, float, float]]], path: Path) -> None:
    """Draw memory (left) and time (right) over the length of the audio."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    for color, (name, points) in zip(COLORS, table.items()):
        seconds, memory, time = zip(*points)
        left.plot(seconds, memory, "o-", color=color, label=name)
        right.plot(seconds, time, "o-", color=color)
    left.set(xlabel="seconds of audio", ylabel="peak memory (GiB)", ylim=(0, None))
    right.set(xlabel="seconds of audio", ylim=(0, None))
    right.set_ylabel("CPU seconds per second of audio")
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncol=2)
    with atomic_write(path, "wb") as file:
        kind = path.suffix.removeprefix(".")
        figure.savefig(file, format=kind, dpi=130, facecolor="white")


def main() -> None:
    """Print the table and draw the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=Path, help="CSV of benchmark.py")
    parser.add_argument("--output", type=Path, required=True, help="PNG or SVG")
    args = parser.parse_args()
    table = read_table(args.table)
    print(format_growth(table))
    draw_growth(table, args.output)


if __name__ == "__main__":
    main()
