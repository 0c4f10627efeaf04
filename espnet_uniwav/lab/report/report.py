"""Sections of the report on a pre-training, from an experiment and a checkpoint."""

from __future__ import annotations

import csv
import inspect
import math
import os
import platform
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from espnet_uniwav.core.flow.sampling import Sampling
from espnet_uniwav.core.ssl.dinosr import DinoSR
from espnet_uniwav.io.input import read_lines
from espnet_uniwav.io.kaldi import read_data_folder
from espnet_uniwav.lab.report.curves import (
    codebook_figures,
    objective_figures,
    other_figures,
)
from espnet_uniwav.lab.report.experiment import Experiment
from espnet_uniwav.lab.report.line_charts import weight_bars
from espnet_uniwav.lab.report.page import Figure, Section, Table
from espnet_uniwav.lab.report.scalars import Curves
from espnet_uniwav.lab.score.infilling_rows import (
    choose_utterances,
    make_row,
)

NO_CURVES = (
    "No TensorBoard events in the experiment folder: train with "
    "--use_tensorboard true to see curves here."
)
NO_CHECKPOINT = "No checkpoint given: export one and pass it with --checkpoint."
NO_DECODER = (
    "This checkpoint has no decoder (it was trained without the flow_matching loss), "
    "so it cannot infill."
)


def run_facts(
    run: Experiment, curves: Curves, model, corpus: str
) -> list[tuple[str, str]]:
    """Data, cost and machine of a run, as pairs of a name and a value."""
    train, valid = run.seconds("train"), run.seconds("valid")
    facts = [
        ("Corpus", corpus),
        ("Configuration", run.name),
        ("Training steps", f"{run.steps:,}" if run.steps else ""),
        ("Epochs", str(len(run.epochs) or "")),
        ("Audio read (about)", _duration(heard_seconds(run, curves))),
        ("Training time", _duration(train)),
        ("Validation time", _duration(valid)),
        ("Wall time by ESPnet's log", _duration(run.wall_seconds)),
        ("Device", _device(run)),
        ("CPU of this machine", f"{_cpu_name()}, {os.cpu_count()} cores"),
        ("PyTorch", run.torch_version or torch.__version__),
        ("Parameters in training", run.parameters),
    ]
    for part, number in count_parameters(model).items():
        facts.append((f"Parameters, {part}", f"{number:,}"))
    return [(name, value) for name, value in facts if value]


def heard_seconds(run: Experiment, curves: Curves) -> float:
    """Seconds of audio read in training: mean throughput x training time."""
    _, rates = curves.train_epochs.get("audio_seconds_per_second", ([], []))
    rates = np.asarray(rates)[np.isfinite(rates)]
    return float(rates.mean()) * run.seconds("train") if len(rates) else 0.0


def count_parameters(model) -> dict[str, int]:
    """Parameters of every part of a model that has any."""
    parts = model.named_children() if model is not None else ()
    numbers = {name: sum(p.numel() for p in part.parameters()) for name, part in parts}
    return {name.replace("_", " "): n for name, n in numbers.items() if n}


def utterance_section(
    model,
    wav_scp: str | Path | None,
    count: int,
    sampling: Sampling,
    share: float = 0.3,
    span: float = 0.2,
    seed: int = 0,
) -> Section:
    """Held-out utterances with players and spectrograms.

    Args:
        model: ``UniWav`` in eval mode, or None.
        wav_scp: ``wav.scp`` of a Kaldi data folder, or None.
        count: Utterances to show.
        sampling: Solver settings.
        share: Share of frames to hide.
        span: Seconds of one hidden span.
        seed: Seed of the choice, the masks and the noise.
    """
    section = Section(
        "Held-out utterances",
        lead=f"{100 * share:.0f} % of the frames are hidden in spans of "
        f"{1000 * span:.0f} ms (orange bars) and filled in by the model from their "
        f"context ({sampling}). All but the original are synthesised by the "
        "same inversion of the features, so the copy on the right is the upper bound "
        "of infilling. Colours show 0 (bright) to 70 dB (dark) below the original's "
        "peak, the same scale within a row. Good: harmonics and formants continue "
        "through the spans. Bad: spans that stay dark, smear into a "
        "constant colour, or begin and end with a hard edge.",
    )
    if model is None or wav_scp is None:
        section.notes.append(
            NO_CHECKPOINT if model is None else "No utterances given: pass --wav_scp."
        )
    elif getattr(model, "decoder", None) is None:
        section.notes.append(NO_DECODER)
    else:
        chosen = choose_utterances(read_data_folder(wav_scp), count, seed)
        if len(chosen) < count:
            section.notes.append(f"Only {len(chosen)} utterances could be read.")
        bar = tqdm(chosen, desc="report", unit="utt", disable=None)
        section.rows = [make_row(model, u, sampling, share, span, seed) for u in bar]
    return section


def codebook_size(run: Experiment) -> int:
    """Codewords V of one codebook: from the configuration, or the default."""
    default = inspect.signature(DinoSR).parameters["codebook_size"].default
    return int(run.find("codebook_size") or default)


def curve_sections(run: Experiment, curves: Curves) -> list[Section]:
    """Losses, codebooks and the other numbers of the training, over its steps."""
    size = codebook_size(run)
    sections = [
        Section("Losses and accuracy", figures=objective_figures(curves, size)),
        Section("Codebooks", figures=codebook_figures(curves, size)),
        Section("Training, other numbers", figures=other_figures(curves)),
    ]
    for section in sections:
        if not section.figures:
            empty = not (curves.train or curves.valid)
            section.notes.append(NO_CURVES if empty else "Not reported by this run.")
    return sections


def weights_section(model) -> Section:
    """Weights of the encoder's states in z."""
    section = Section("Layer weights of z")
    if model is None or getattr(model, "decoder", None) is None:
        section.notes.append(NO_CHECKPOINT if model is None else NO_DECODER)
        return section
    figure = Figure(
        weight_bars(model.layer_weights().cpu().numpy()),
        "Which states the decoder uses. After a short run all bars are near the dashed "
        "line; with training they should diverge. Bad: all weight on state 0, which "
        "would mean that the decoder bypasses the encoder.",
        "Share of each state of the encoder in z",
    )
    section.figures.append(figure)
    return section


def table_section(tables: list[tuple[str, Path]]) -> Section:
    """Tables from CSV files, as pairs of a title and a path."""
    return Section("Scores", tables=[read_table(*table) for table in tables])


def read_table(title: str, path: str | Path) -> Table:
    """Read a CSV file with a header line.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is empty.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such CSV file for the table {title!r}")
    content = (f"{line}\n" for line in read_lines(path, mark=True))
    lines = [line for line in csv.reader(content) if line]
    if not lines:
        raise ValueError(f"{path}: expected a header line, found an empty file")
    return Table(title, lines[0], [[_short(cell) for cell in row] for row in lines[1:]])


def run_section(run: Experiment, commands: list[str]) -> Section:
    """How to repeat the run, and its full configuration."""
    section = Section("How to reproduce it", notes=list(run.notes))
    if commands:
        section.code.append(("Commands", "\n".join(commands)))
    if run.config_text:
        section.code.append(("Resolved configuration (config.yaml)", run.config_text))
    return section


def _short(cell: str) -> str:
    """A number at four significant digits; other text unchanged."""
    try:
        value = float(cell)
    except ValueError:
        return cell
    if len(cell) <= 6 or not math.isfinite(value):
        return cell
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _duration(seconds: float) -> str:
    if not seconds:
        return ""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _device(run: Experiment) -> str:
    if "ngpu" not in run.config:
        return ""
    return f"{run.config['ngpu']} GPU" if run.config["ngpu"] else "CPU only"


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1] for line in lines if line.startswith("model name")]
    return names[0].strip() if names else platform.machine()
