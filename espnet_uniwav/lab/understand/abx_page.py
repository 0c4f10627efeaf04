"""Phone ABX in the output of ``uniwav understand``: table, picture and notes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from espnet_uniwav.lab.report.page import Figure, Section, Table
from espnet_uniwav.lab.report.pictures import to_data_uri
from espnet_uniwav.lab.understand.abx import CHANCE, MEASURES, AbxScore, title
from espnet_uniwav.lab.understand.charts import (
    LayerPanel,
    draw_panels,
    make_panel,
    save_panels,
)
from espnet_uniwav.lab.understand.layer_tables import read_rows, write_rows

TABLE, PICTURE = "abx.csv", "abx.png"
CAPTION = (
    "How often a phone is closer to another phone than to one of its own kind "
    "(fastabx, as in ZeroSpeech: angular distance, dynamic time warping). Triphones "
    "are compared in equal contexts, phonemes in any. Good: below the raw features and "
    "the random encoder, and hardly higher across speakers than within one. Bad: near "
    "chance, or much higher across speakers, where voices decide. Bars hold 95 %, "
    "speakers drawn again."
)


def write_abx(folder: Path, scores: list[AbxScore]) -> None:
    """Write table and picture in the place of earlier ones; without scores neither."""
    rows = [score.row for score in scores]
    (folder / TABLE).unlink(missing_ok=True)
    if rows:
        write_rows(folder / TABLE, rows)
    save_panels(make_panels(rows), folder / PICTURE)


def add_abx(section: Section, folder: Path) -> None:
    """Show what ``write_abx`` wrote, if it did."""
    if not (folder / TABLE).is_file():
        return
    rows = read_rows(folder / TABLE, ("system", "layer", *MEASURES))
    if panels := make_panels(rows):
        picture = to_data_uri(draw_panels(panels))
        section.figures.append(Figure(picture, CAPTION, "Phone ABX"))
    section.tables.append(
        Table(
            f"Phone ABX, errors in % ({rows[0]['items']:,.0f} items of "
            f"{rows[0]['utterances']:.0f} utterances, chance {100 * CHANCE:.0f} %)",
            ["system", "layer", *map(title, MEASURES)],
            [
                [row["system"], row["layer"], *(_cell(row, m) for m in MEASURES)]
                for row in rows
            ],
        )
    )


def make_panels(rows: list[dict]) -> list[LayerPanel]:
    """What to draw of each measure that has values."""
    return [
        make_panel(
            title(measure),
            "errors",
            rows,
            (measure, f"{measure}_low", f"{measure}_high"),
            chance=CHANCE,
            percent=True,
        )
        for measure in MEASURES
        if not np.isnan([row[measure] for row in rows]).all()
    ]


def abx_notes(scores: list, num_aligned: int) -> list[str]:
    """Say what was not compared, and which layer of each system has fewest errors.

    Args:
        scores: Of any measures.
        num_aligned: Utterances that could be compared.
    """
    scores = [score for score in scores if isinstance(score, AbxScore)]
    if not scores:
        return []
    notes, first = [], scores[0]
    if (found := first.facts["utterances"]) < num_aligned:
        notes.append(
            f"Phone ABX is measured on {found} of {num_aligned} utterances, since it "
            "needs all of their frames. A larger --max_frames takes more."
        )
    if empty := [m for m in MEASURES if np.isnan(first.errors[m][0])]:
        notes.append(
            f"Phone ABX is not measured for {' and '.join(map(title, empty))}: nothing "
            "to compare. Use more utterances of each speaker, and several speakers."
        )
    for system in dict.fromkeys(score.system for score in scores):
        own = [score for score in scores if score.system == system]
        best = {m: min(own, key=lambda score: score.errors[m][0]) for m in MEASURES}
        said = ", ".join(
            f"{title(m)} {100 * score.errors[m][0]:.1f} % ({score.layer})"
            for m, score in best.items()
            if not np.isnan(score.errors[m][0])
        )
        if said:
            notes.append(f"Phone ABX, fewest errors of {system}: {said}.")
    return notes


def _cell(row: dict, measure: str) -> str:
    names = measure, f"{measure}_low", f"{measure}_high"
    return "{:.1f} ({:.1f} to {:.1f})".format(*(100 * row[name] for name in names))
