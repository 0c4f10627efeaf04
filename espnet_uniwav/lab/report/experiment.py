"""Configuration, log and cost of a run, from its ESPnet experiment folder."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from espnet_uniwav.io.input import read_yaml

_EPOCH = re.compile(r"(\d+)epoch results: (.*)")
_PHASE = re.compile(r"\[(train|valid)\] (.*?)(?=\[\w+\] |$)")
_TIME = re.compile(r"(?<![a-z_])time=(.*?), total_count=(\d+)")
_SPAN = re.compile(r"([\d.]+) (day|hour|minute|second|millisecond)")
_STAMP = re.compile(r"^\[[^\]]*\] (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)")
_SIZE = re.compile(r"Total Number of model parameters: (.*)")
_TORCH = re.compile(r"pytorch\.version=([^\s,]+)")
_UNITS = {"day": 86400, "hour": 3600, "minute": 60, "second": 1, "millisecond": 0.001}


@dataclass
class Experiment:
    """The run that a report describes.

    Attributes:
        folder: The ESPnet experiment folder.
        config: The resolved configuration; empty if there is no ``config.yaml``.
        config_text: The same as text.
        epochs: Epoch -> phase (`train`, `valid`) -> (seconds, steps until then).
        wall_seconds: From the first to the last line of the logs, summed over runs.
        torch_version: As logged, or empty.
        parameters: Their number in training, as logged, or empty.
        notes: What is missing.
    """

    folder: Path
    config: dict = field(default_factory=dict)
    config_text: str = ""
    epochs: dict = field(default_factory=dict)
    wall_seconds: float = 0.0
    torch_version: str = ""
    parameters: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The conf file's name, or else the folder's."""
        return Path(self.config.get("config") or self.folder.resolve()).stem

    @property
    def steps(self) -> int:
        """Training steps (batches) of all complete epochs."""
        return max(
            (e["train"][1] for e in self.epochs.values() if "train" in e), default=0
        )

    def seconds(self, phase: str) -> float:
        """Seconds spent in a phase over all complete epochs."""
        return sum(e[phase][0] for e in self.epochs.values() if phase in e)


def read_experiment(folder: str | Path) -> Experiment:
    """Read ``config.yaml`` and ``train*.log`` of an ESPnet experiment folder.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder}: no such experiment folder; give the folder that ESPnet wrote "
            "with --output_dir (it holds config.yaml and train.log)"
        )
    run = Experiment(folder)
    if (folder / "config.yaml").is_file():
        run.config_text = (folder / "config.yaml").read_text(encoding="utf-8")
        run.config = read_yaml(folder / "config.yaml")
    else:
        run.notes.append(f"{folder.name} has no config.yaml: no configuration to show.")
    logs = sorted(folder.glob("train*.log"), key=lambda path: path.stat().st_mtime)
    if not logs:
        run.notes.append(
            f"{folder.name} has no train.log: times and steps are unknown."
        )
    for path in logs:
        _read_log(path.read_text(encoding="utf-8", errors="replace"), run)
    return run


def parse_timespan(text: str) -> float:
    """Seconds of a time as ESPnet logs it, such as `1 minute and 2.5 seconds`."""
    return sum(float(number) * _UNITS[unit] for number, unit in _SPAN.findall(text))


def _read_log(log: str, run: Experiment) -> None:
    for epoch, results in _EPOCH.findall(log):
        run.epochs[int(epoch)] = {
            phase: (parse_timespan(time[1]), int(time[2]))
            for phase, stats in _PHASE.findall(results)
            if (time := _TIME.search(stats))
        }
    stamps = [m.group(1) for line in log.splitlines() if (m := _STAMP.match(line))]
    if stamps:
        first, last = (datetime.fromisoformat(s) for s in (stamps[0], stamps[-1]))
        run.wall_seconds += (last - first).total_seconds()
    if version := _TORCH.search(log):
        run.torch_version = version.group(1)
    if size := _SIZE.search(log):
        run.parameters = size.group(1).strip()
