"""Settings of a run: the task's configuration, and all that affects the result."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path

import yaml

from espnet_uniwav.io.folder import find_local
from espnet_uniwav.io.output import write_text

EVALUATIONS = 4
LOG_LINES = 20


def default(task: str, conf: Path, *keys: str):
    """An entry of a task's configuration."""
    value = _read_conf(conf, task)
    for key in keys:
        value = value[key]
    return value


def write_config(path: Path, task: str, conf: Path, words: dict, run: dict) -> None:
    """Writes a configuration as S3PRL reads it.

    Args:
        path: of the yaml file.
        task: a key of TASKS.
        conf: folder of the tasks' configurations.
        words: `{data}` and `{split}` -> their replacements.
        run: `lr` and `steps`.
    """
    config, steps = _fill(_read_conf(conf, task), words), run["steps"]
    config["optimizer"]["lr"] = run["lr"]
    config["runner"].update(
        total_steps=steps,
        eval_step=max(1, steps // EVALUATIONS),
        save_step=steps,
        log_step=max(1, steps // LOG_LINES),
    )
    write_text(path, yaml.safe_dump(config, sort_keys=False))


def make_settings(
    task: str, conf: Path, data: Path, upstream: dict, rest: dict
) -> dict:
    """Settings that a result depends on, independent of the files' location.

    Args:
        task: a key of TASKS.
        conf: folder of the tasks' configurations.
        data: the task's folder.
        upstream: its names and `checkpoint`, of which the content counts.
        rest: learning rate, seed, and more.
    """
    checkpoint = fingerprint(upstream["checkpoint"])
    return {
        "task": task,
        "upstream": {**upstream, "checkpoint": checkpoint},
        "config": _read_conf(conf, task),
        "utterances": fingerprint(str(data / "utterances.tsv")),
        **rest,
    }


def check_same(settings: dict, folder: Path) -> None:
    """Refuses a finished run that was made with other settings.

    Raises:
        ValueError: naming what differs.
    """
    before = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    odd = [key for key in settings if settings[key] != before.get(key)]
    if odd:
        raise ValueError(
            f"{folder} was run with another {' and '.join(odd)}: name another --expdir "
            "or remove that folder"
        )


@lru_cache(maxsize=None)
def fingerprint(path: str) -> str:
    """SHA-256 of a file, or of all files of a checkpoint; empty for no path.

    Raises:
        ValueError: there is nothing.
    """
    if not path:
        return ""
    path = find_local(path) or path
    files = [p for p in sorted(Path(path).rglob("*")) if p.is_file()] or [Path(path)]
    if not files[0].is_file():
        raise ValueError(f"{path} is missing or empty: expected a file or folder")
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _fill(value, words: dict[str, str]):
    if isinstance(value, dict):
        return {key: _fill(item, words) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, words) for item in value]
    for word, text in words.items() if isinstance(value, str) else ():
        value = value.replace(word, text)
    return value


def _read_conf(conf: Path, task: str) -> dict:
    path = conf / f"{task}.yaml"
    if not path.is_file():
        raise ValueError(f"{path} is missing: expected a configuration for each task")
    return yaml.safe_load(path.read_text(encoding="utf-8"))
