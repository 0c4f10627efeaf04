"""The report page on a pre-training: all sections in order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from espnet_uniwav.core.checkpoint import load_checkpoint
from espnet_uniwav.core.flow.sampling import Sampling
from espnet_uniwav.lab.report import report as parts
from espnet_uniwav.lab.report.experiment import read_experiment
from espnet_uniwav.lab.report.page import (
    Page,
    Section,
    check_page,
    load_sections,
    write_page,
)
from espnet_uniwav.lab.report.scalars import read_curves
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
    sections = [
        parts.utterance_section(model, wav_scp, *shown),
        *_results(infill_table, table, speech),
        *parts.curve_sections(run, curves),
        parts.weights_section(model),
    ]
    if understanding:
        sections.append(understanding_section(understanding))
    sections.append(parts.run_section(run, list(command)))
    facts = parts.run_facts(run, curves, model, corpus)
    path = write_page(Page(title, LEAD, facts, sections), output)
    return f"{path} ({path.stat().st_size / 1e6:.1f} MB)"


def _results(
    infilling: Sequence[Path], others: Sequence[str], speech: Sequence[Path]
) -> list[Section]:
    """Sections of generated speech, then that of the tables."""
    tables = _tables(infilling, others)
    folders = [load_sections(folder / "sections.json") for folder in speech]
    sections = [section for found in folders for section in found]
    return [*sections, parts.table_section(tables)] if tables else sections


def _tables(infilling: Sequence[Path], others: Sequence[str]) -> list[tuple[str, Path]]:
    tables = [(f"Infilling scores: {path.stem}", path) for path in infilling]
    for table in others:
        title, separator, path = table.partition("=")
        if not separator:
            raise ValueError(f"--table: expected TITLE=CSV, found {table!r}")
        tables.append((title, Path(path)))
    return tables
