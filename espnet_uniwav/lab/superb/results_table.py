"""One table of all tasks and upstreams: markdown on stdout, CSV files beside the runs.

    python -m espnet_uniwav.lab.superb.results_table DATA EXP

The score is the mean over seeds; the interval (95 %, bootstrap) is over the speakers of
test. EXP/scores.csv holds every cell, EXP/runs.csv every run and its learning rate.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from espnet_uniwav.cli.command import run_script
from espnet_uniwav.io.output import write_text
from espnet_uniwav.io.tables import markdown, write_csv
from espnet_uniwav.lab.superb.runs import read_result, run_name
from espnet_uniwav.lab.superb.scores import TASKS, read_predictions

SECONDS = ("train_seconds", "train_cpu_seconds")
METRICS = [metric for task in TASKS.values() for metric in task.metrics]
RUNS = (
    *("task", "upstream", "lr", "seed", "steps", "chosen", *SECONDS),
    *(f"{split}_{metric}" for split in ("dev", "test") for metric in METRICS),
    "layer_weights",
)


def results_table(data: Path, exp: Path) -> str:
    """Write the table and the CSV files; returns the table.

    Args:
        data: Folder that ``superb.layout`` wrote.
        exp: Folder of the runs.

    Raises:
        ValueError, OSError: Naming the file.
    """
    chosen = read_chosen(exp)
    cells = [
        cell
        for (task, upstream), choice in chosen.items()
        for cell in score(task, upstream, choice, data / task, exp)
    ]
    write_csv(exp / "scores.csv", cells)
    write_csv(exp / "runs.csv", list_runs(exp, chosen), RUNS)
    table = format_table(cells, chosen)
    write_text(exp / "table.md", table)
    return table.rstrip("\n")


def read_chosen(exp: Path) -> dict[tuple[str, str], dict]:
    """(task, upstream) -> what the sweep tried and chose, in the order of the tasks.

    Raises:
        ValueError: there is none.
    """
    found = {
        (task, path.parent.name): json.loads(path.read_text(encoding="utf-8"))
        for task in TASKS
        for path in sorted((exp / task).glob("*/chosen.json"))
    }
    if not found:
        raise ValueError(f"{exp} holds no finished sweep: run stage 2")
    return found


def score(task: str, upstream: str, choice: dict, data: Path, exp: Path) -> list[dict]:
    """Scores of one task and upstream, for all utterances and for each group."""
    lr, seeds, steps = choice["lr"], choice["seeds"], choice["steps"]
    folders = [exp / task / upstream / run_name(lr, seed, steps) for seed in seeds]
    runs = [read_predictions(task, folder, data, "test") for folder in folders]
    rest = {"seeds": len(seeds), "lr": f"{lr:g}", "steps": steps}
    cells = []
    for metric in TASKS[task].metrics:
        for group in runs[0][metric].split():
            found = [run[metric].split()[group] for run in runs]
            low, high = found[0].mean(found).interval()
            values = {"score": np.mean([own.rate() for own in found])}
            values.update(low=low, high=high)
            cells.append(
                {
                    **{"task": task, "metric": metric, "group": group},
                    **{"upstream": upstream, "items": len(found[0])},
                    **{name: f"{value:.2f}" for name, value in values.items()},
                    **rest,
                }
            )
    return cells


def list_runs(exp: Path, chosen: dict) -> list[dict]:
    """Every finished run below a folder, chosen or not."""
    rows = []
    for path in sorted(exp.glob("*/*/*/result.json")):
        settings = json.loads((path.parent / "settings.json").read_text("utf-8"))
        result = read_result(path.parent)
        key = settings["task"], path.parts[-3]
        choice = chosen.get(key, {"lr": None, "steps": None, "seeds": ()})
        same = all(settings[name] == choice[name] for name in ("lr", "steps"))
        row = {name: settings[name] for name in ("task", "lr", "seed", "steps")}
        row["upstream"] = key[1]
        row["chosen"] = "yes" if same and row["seed"] in choice["seeds"] else "no"
        row.update({name: result[name] for name in SECONDS})
        row["layer_weights"] = " ".join(map(str, result["layer_weights"]))
        for split in ("dev", "test"):
            for metric, value in result.get(split, {}).items():
                row[f"{split}_{metric}"] = value
        rows.append(row)
    return rows


def format_table(cells: list[dict], chosen: dict) -> str:
    """A line for each task, metric and group; a column for each upstream."""
    upstreams = list(dict.fromkeys(cell["upstream"] for cell in cells))
    keys = dict.fromkeys((c["task"], c["metric"], c["group"]) for c in cells)
    found = {(c["task"], c["metric"], c["group"], c["upstream"]): c for c in cells}
    lines = []
    for task, metric, group in keys:
        values = (_cell(found.get((task, metric, group, name))) for name in upstreams)
        lines.append([TASKS[task].title, f"{metric} %", group, *values])
    for task in dict.fromkeys(task for task, _ in chosen):
        values = (_choice(chosen.get((task, name))) for name in upstreams)
        what = "learning rate, chosen on dev", "steps, seeds"
        lines.append([TASKS[task].title, *what, *values])
    return markdown(["task", "score on test", "group", *upstreams], lines) + "\n"


def _cell(cell: dict | None) -> str:
    if cell is None:
        return ""
    return f"{cell['score']} ({cell['low']} to {cell['high']})"


def _choice(choice: dict | None) -> str:
    """The learning rate, marked where a larger or smaller one was not tried."""
    if choice is None:
        return ""
    tried = sorted(map(float, choice["dev"]))
    edge = len(tried) > 1 and choice["lr"] in (tried[0], tried[-1])
    of = f" of {', '.join(f'{lr:g}' for lr in tried)}" if len(tried) > 1 else ""
    mark = " (at the edge)" if edge else ""
    return (
        f"{choice['lr']:g}{of}{mark}; {choice['steps']} steps, "
        f"{len(choice['seeds'])} seeds"
    )


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(results_table, "data exp", argv)


if __name__ == "__main__":
    main()
