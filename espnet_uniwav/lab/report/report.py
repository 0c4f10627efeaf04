"""The report on a pre-training: one page, from an experiment and a checkpoint."""

from __future__ import annotations

import inspect
import math
import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from espnet_uniwav.core.checkpoint import load_checkpoint
from espnet_uniwav.core.flow.sampling import Sampling
from espnet_uniwav.core.ssl.dinosr import DinoSR
from espnet_uniwav.io.tables import read_rows
from espnet_uniwav.lab.report.curves import curve_sections
from espnet_uniwav.lab.report.experiment import Experiment, read_experiment
from espnet_uniwav.lab.report.held_out import (
    NO_CHECKPOINT,
    NO_DECODER,
    utterance_section,
)
from espnet_uniwav.lab.report.line_charts import draw_charts, layer_weights_chart
from espnet_uniwav.lab.report.page import (
    Figure,
    Section,
    Table,
    check_page,
    load_sections,
    write_page,
)
from espnet_uniwav.lab.report.pictures import to_data_uri
from espnet_uniwav.lab.report.scalars import Curves, read_curves
from espnet_uniwav.lab.understand.section import understanding_section

LEAD = (
    "What this model learned, and how. UniWav pre-trains one encoder and one decoder "
    "together: the encoder predicts clusters of its own teacher at masked frames, "
    "the decoder generates those frames by flow matching from the encoder's states."
)


def report(
    exp: Path,
    checkpoint: Path | None = None,
    wav_scp: Path | None = None,
    output: str | Path = "report/index.html",
    title: str = "UniWav pre-training",
    corpus: str = "",
    num_utterances: int = 4,
    mask_share: float = 0.3,
    mask_span: float = 0.2,
    infill_table: Sequence[Path] = (),
    table: Sequence[str] = (),
    understanding: Path | None = None,
    speech: Sequence[Path] = (),
    command: Sequence[str] = (),
    seed: int = 0,
    **sampling,
) -> str:
    """Write one self-contained HTML page about a pre-training.

    Args:
        exp: ESPnet's output_dir.
        checkpoint: Folder of ``uniwav export``, or a name; None: without players.
        wav_scp: Table of held-out audio files, for the players.
        output: Page to write.
        title: Title of the page.
        corpus: Name of the corpus, shown on the page.
        num_utterances: Number of utterances with players, evenly spread.
        mask_share: Share of their frames that is hidden.
        mask_span: Length of one hidden span (seconds).
        infill_table: CSV files of infilling scores.
        table: TITLE=CSV of other tables.
        understanding: Output folder of ``uniwav understand``.
        speech: Output folders of ``uniwav score``.
        command: Command lines that reproduce the run.
        seed: Seed of all random draws.
        **sampling: Settings of the solver, see ``Sampling``.

    Returns:
        What was written, in one line.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    check_page(output)
    run, curves = read_experiment(exp), read_curves(exp)
    model = load_checkpoint(checkpoint) if checkpoint else None
    shown = num_utterances, Sampling(**sampling), mask_share, mask_span, seed
    sections = [utterance_section(model, wav_scp, *shown)]
    for folder in speech:
        sections += load_sections(folder / "sections.json")
    if tables := read_tables(infill_table, table):
        sections.append(Section("Scores", tables=tables))
    sections += [*curve_sections(curves, codebook_size(run)), weights_section(model)]
    if understanding:
        sections.append(understanding_section(understanding))
    sections.append(run_section(run, command))
    facts = run_facts(run, curves, model, corpus)
    path = write_page(output, title, sections, LEAD, facts)
    return f"{path} ({path.stat().st_size / 1e6:.1f} MB)"


def read_tables(infilling: Sequence[Path], others: Sequence[str]) -> list[Table]:
    """Read the tables of infilling, then the others, each a TITLE=CSV.

    Raises:
        FileNotFoundError, ValueError: Naming the file or the option.
    """
    tables = [read_table(f"Infilling scores: {path.stem}", path) for path in infilling]
    for table in others:
        title, separator, path = table.partition("=")
        if not separator:
            raise ValueError(f"--table: expected TITLE=CSV, found {table!r}")
        tables.append(read_table(title, path))
    return tables


def run_facts(
    run: Experiment, curves: Curves, model, corpus: str
) -> list[tuple[str, str]]:
    """Data, cost and machine of a run, as pairs of a name and a value."""
    ngpu = run.config.get("ngpu")
    facts = [
        ("Corpus", corpus),
        ("Configuration", run.name),
        ("Training steps", f"{run.steps:,}" if run.steps else ""),
        ("Epochs", str(len(run.epochs) or "")),
        ("Audio read (about)", _duration(seconds_read(run, curves))),
        ("Training time", _duration(run.seconds("train"))),
        ("Validation time", _duration(run.seconds("valid"))),
        ("Wall time by ESPnet's log", _duration(run.wall_seconds)),
        ("Device", {None: "", 0: "CPU only"}.get(ngpu, f"{ngpu} GPU")),
        ("CPU of this machine", f"{_cpu_name()}, {os.cpu_count()} cores"),
        ("PyTorch", run.torch_version or torch.__version__),
        ("Parameters in training", run.parameters),
    ]
    for part, number in count_parameters(model).items():
        facts.append((f"Parameters, {part}", f"{number:,}"))
    return [(name, value) for name, value in facts if value]


def seconds_read(run: Experiment, curves: Curves) -> float:
    """Seconds of audio read in training: mean throughput x training time."""
    _, rates = curves.train_epochs.get("audio_seconds_per_second", ([], []))
    rates = np.asarray(rates)[np.isfinite(rates)]
    return float(rates.mean()) * run.seconds("train") if len(rates) else 0.0


def count_parameters(model) -> dict[str, int]:
    """Parameters of every part of a model that has any."""
    parts = model.named_children() if model is not None else ()
    numbers = {name: sum(p.numel() for p in part.parameters()) for name, part in parts}
    return {name.replace("_", " "): n for name, n in numbers.items() if n}


def codebook_size(run: Experiment) -> int:
    """Codewords V of one codebook: from the configuration, or the default."""
    if found := re.search(r"codebook_size: (\d+)", run.config_text):
        return int(found[1])
    return inspect.signature(DinoSR).parameters["codebook_size"].default


def weights_section(model) -> Section:
    """Weights of the encoder's states in z."""
    section = Section("Layer weights of z")
    if model is None or model.decoder is None:
        section.notes.append(NO_CHECKPOINT if model is None else NO_DECODER)
        return section
    chart = layer_weights_chart(model.layer_weights().cpu().numpy())
    figure = Figure(
        to_data_uri(draw_charts([chart])),
        "Which states the decoder uses. After a short run all shares are near the "
        "dashed line; with training they should diverge. Bad: all weight on state 0, "
        "which would mean that the decoder bypasses the encoder.",
        "Share of each state of the encoder in z",
    )
    section.figures.append(figure)
    return section


def read_table(title: str, path: str | Path) -> Table:
    """Read a CSV file with a header line.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is empty.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such CSV file for the table {title!r}")
    columns, rows = read_rows(path)
    if not columns:
        raise ValueError(f"{path}: expected a header line, found an empty file")
    cells = [[_shorten(cell) for cell in row.values()] for _, row in rows]
    return Table(title, columns, cells)


def run_section(run: Experiment, commands: Sequence[str]) -> Section:
    """How to repeat the run, and its full configuration."""
    section = Section("How to reproduce it", notes=list(run.notes))
    if commands:
        section.code.append(("Commands", "\n".join(commands)))
    if run.config_text:
        section.code.append(("Resolved configuration (config.yaml)", run.config_text))
    return section


def _shorten(cell: str) -> str:
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


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1] for line in lines if line.startswith("model name")]
    return names[0].strip() if names else platform.machine()
