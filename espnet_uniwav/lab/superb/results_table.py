"""One table of all tasks and upstreams: markdown on stdout, CSV files beside the runs.

    python -m espnet_uniwav.lab.superb.results_table DATA EXP

The score is the mean over seeds; the interval (95 %, bootstrap) is over the speakers of
test. EXP/scores.csv holds every cell, EXP/runs.csv every run and its learning rate.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from espnet_uniwav.cli.command import run_script
from espnet_uniwav.io.output import write_text
from espnet_uniwav.io.tables import markdown, write_csv
from espnet_uniwav.lab.superb.folders import read_utterances
from espnet_uniwav.lab.superb.runs import read_result
from espnet_uniwav.lab.superb.tasks import TASKS
from espnet_uniwav.lab.superb.utterance_scores import read_counts

SCORES = (
    *("task", "metric", "group", "upstream", "score", "low", "high"),
    *("seeds", "lowest_seed", "highest_seed", "items", "lr", "steps"),
)
SECONDS = ("train_seconds", "train_cpu_seconds")
RUNS = ("task", "upstream", "lr", "seed", "steps", "chosen", *SECONDS)
METRICS = ("PER", "CER", "WER", "accuracy", "EER")


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
    write_csv(exp / "scores.csv", cells, SCORES)
    write_csv(exp / "runs.csv", list_runs(exp, chosen), run_columns())
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


def run_folder(exp: Path, task: str, upstream: str, choice: dict, seed: int) -> Path:
    """Where the sweep put the chosen run."""
    name = f"lr{choice['lr']:g}_seed{seed}_steps{choice['steps']}"
    return exp / task / upstream / name


def score(task: str, upstream: str, choice: dict, data: Path, exp: Path) -> list[dict]:
    """Scores of one task and upstream, for all utterances and for each group."""
    table = read_utterances(data)
    found = [
        read_counts(task, run_folder(exp, task, upstream, choice, seed), data, "test")
        for seed in choice["seeds"]
    ]
    rest = {"lr": f"{choice['lr']:g}", "steps": choice["steps"]}
    return [
        {
            **{"task": task, "metric": metric, "group": group, "upstream": upstream},
            **rates([counts[metric] for counts in found], chosen, table),
            **rest,
        }
        for metric in TASKS[task].metrics
        for group, chosen in memberships(found[0][metric].names, table).items()
    ]


def memberships(names: list, table: dict[str, dict]) -> dict[str, np.ndarray]:
    """Group -> which items belong to it; a trial belongs where both its sides do."""
    sets = [
        set.intersection(
            *(set(table[n]["groups"]) for n in ([x] if isinstance(x, str) else x))
        )
        for x in names
    ]
    groups = sorted(set.union(*sets))
    inside = {group: np.array([group in item for item in sets]) for group in groups}
    return {"all": np.ones(len(names), bool), **inside}


def rates(found: list, chosen: np.ndarray, table: dict[str, dict]) -> dict:
    """Mean over seeds, its interval, and the extremes of the seeds (percent)."""
    each = [counts.rate(chosen) for counts in found]
    speakers = [
        table[x]["speaker"] if isinstance(x, str) else [table[n]["speaker"] for n in x]
        for x in found[0].names
    ]
    low, high = mean_counts(found).interval(chosen, speakers)
    numbers = {
        **{"score": float(np.mean(each)), "low": low, "high": high},
        **{"lowest_seed": min(each), "highest_seed": max(each)},
    }
    return {
        **{name: f"{value:.2f}" for name, value in numbers.items()},
        "seeds": len(found),
        "items": int(chosen.sum()),
    }


def mean_counts(found: list):
    """One set of counts for all seeds: the mean of their hits, or of their scores."""
    if hasattr(found[0], "hits"):
        return replace(found[0], hits=np.mean([c.hits for c in found], axis=0))
    return replace(found[0], scores=np.mean([c.scores for c in found], axis=0))


def run_columns() -> tuple[str, ...]:
    scores = (f"{split}_{m}" for split in ("dev", "test") for m in METRICS)
    return (*RUNS, *scores, "layer_weights")


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
