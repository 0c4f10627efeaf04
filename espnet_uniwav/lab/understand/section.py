"""Folder and report section: phone and speaker information in the layers."""

from __future__ import annotations

import math
from pathlib import Path

from espnet_uniwav.io.output import write_text
from espnet_uniwav.lab.report.line_charts import Chart, draw_charts
from espnet_uniwav.lab.report.page import Figure, Section, Table
from espnet_uniwav.lab.report.pictures import save_png, to_data_uri
from espnet_uniwav.lab.score.bootstrap import Estimate
from espnet_uniwav.lab.understand.abx import CHANCE, MEASURES, AbxScore, title
from espnet_uniwav.lab.understand.charts import layer_chart
from espnet_uniwav.lab.understand.layer_scores import (
    INFORMATION,
    PHONES,
    PROBE,
    SPEAKERS,
    LayerScore,
    difference_rows,
    read_scores,
    score_rows,
    write_scores,
)

ABX = "abx"
NOTES, COMMAND, DIFFERENCES = "notes.txt", "command.txt", "differences.csv"
TITLES = {
    (INFORMATION, PHONES): "Mutual information of units and phones",
    (INFORMATION, SPEAKERS): "Mutual information of units and speakers",
    (PROBE, PHONES): "Linear phone probe",
    (PROBE, SPEAKERS): "Linear speaker probe",
}
ABX_CAPTION = (
    "How often a phone is closer to another phone than to one of its own kind "
    "(fastabx, as in ZeroSpeech: angular distance, dynamic time warping). Triphones "
    "are compared in equal contexts, phonemes in any. Good: below the raw features and "
    "the random encoder, and hardly higher across speakers than within one. Bad: near "
    "chance, or much higher across speakers, where voices decide. Bars hold 95 %, "
    "speakers drawn again."
)
CAPTIONS = {
    (INFORMATION, PHONES): "Bits of information about the phone in the k-means unit of "
    "a frame. Good: the upper layers are clearly above the raw features and the random "
    "encoder. Bad: a line on or below them, where clusters show no effect of training.",
    (INFORMATION, SPEAKERS): "Bits of information about the speaker, recording channel "
    "included, in the same units. Good for recognition: falling towards the layers "
    "with much phone information. Bad: high in all layers while the phones are low, "
    "where units represent voices.",
    (
        PROBE,
        PHONES,
    ): "Share of frames whose phone is found by a linear classifier that "
    "was fitted on other utterances. Good: rising above the raw features within a few "
    "layers. Bad: at the level of the random encoder, or falling to it in the last "
    "layers, which are then specialised on the objective.",
    (PROBE, SPEAKERS): "Share of frames whose speaker is found by a linear classifier "
    "fitted on other utterances of the same speakers, recording channel included. A "
    "random encoder is high: its attention averages over the utterance. Good: high in "
    "z, so that voices can be reproduced, and falling in the layers with much phone "
    "information. Bad: near chance in z, where the decoder has no speaker information.",
}
LEAD = (
    "The state of every layer, of z (their weighted sum, from which the decoder "
    "generates), of the raw features and of a random encoder (the same network before "
    "training), at frames of held-out speech. Frames of silence count for speakers, "
    "not for phones. Bars hold 95 %, utterances and runs of k-means drawn "
    "again. Mutual information is "
    "what the k-means units of an utterance tell by a table counted in all other "
    "utterances: a lower bound, but never information by chance. The tables hold the "
    "jackknife estimate too; the truth should be between the two. Chance is "
    "what it says when utterances exchange their labels, and in a probe what naming "
    "the most frequent class gets."
)


def write_understanding(
    folder: Path, scores: list[LayerScore | AbxScore], notes: list[str], command: str
) -> None:
    """Write tables and pictures, and what is missing.

    Args:
        folder: Made if missing; what it holds of earlier runs is replaced.
        scores: Of all systems.
        notes: What is missing or to be read with care.
        command: That made them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    errors = [score.row for score in scores if isinstance(score, AbxScore)]
    scores = [score for score in scores if isinstance(score, LayerScore)]
    tables = {m: score_rows(scores, m) for m in (INFORMATION, PROBE)}
    for measure, rows in {**tables, ABX: errors}.items():
        table, picture = table_path(folder, measure), folder / f"{measure}.png"
        table.unlink(missing_ok=True)
        picture.unlink(missing_ok=True)
        if rows or measure != ABX:
            write_scores(table, rows)
        if charts := make_charts(rows, measure):
            save_png(draw_charts(list(charts.values())), picture)
    write_scores(folder / DIFFERENCES, difference_rows(scores))
    write_text(folder / NOTES, "".join(f"{n}\n" for n in notes))
    write_text(folder / COMMAND, f"{command}\n")


def understanding_section(folder: str | Path) -> Section:
    """Show what ``uniwav understand`` wrote to a folder.

    Raises:
        FileNotFoundError, ValueError: Naming the file and what to do.
    """
    folder = Path(folder)
    notes = folder / NOTES
    if not notes.is_file():
        raise FileNotFoundError(
            f"{notes}: no such file; make the folder with `uniwav understand`"
        )
    section = Section("What the layers know", lead=LEAD)
    section.notes = notes.read_text(encoding="utf-8").splitlines()
    if differences := read_scores(folder / DIFFERENCES):
        section.tables.append(_difference_table(differences))
    for measure in (INFORMATION, PROBE):
        rows = read_scores(table_path(folder, measure))
        for target, chart in make_charts(rows, measure).items():
            name = TITLES[measure, target]
            picture = to_data_uri(draw_charts([chart]))
            section.figures.append(Figure(picture, CAPTIONS[measure, target], name))
            section.tables.append(_layer_table(rows, measure, target))
    if table_path(folder, ABX).is_file():
        rows = read_scores(table_path(folder, ABX))
        if charts := make_charts(rows, ABX):
            picture = to_data_uri(draw_charts(list(charts.values())))
            section.figures.append(Figure(picture, ABX_CAPTION, "Phone ABX"))
        section.tables.append(_abx_table(rows))
    command = (folder / COMMAND).read_text(encoding="utf-8")
    section.code.append(("How this was measured", command.strip()))
    return section


def table_path(folder: Path, measure: str) -> Path:
    """Where the scores of a measure are kept."""
    return folder / f"{measure}.csv"


def make_charts(rows: list[dict], measure: str) -> dict[str, Chart]:
    """What to draw of each target that has values, from the rows of one measure."""
    if measure == ABX:
        found = {m: [_abx_row(row, m) for row in rows] for m in MEASURES}
        return {
            m: layer_chart(own, f"errors, {title(m)}", percent=True)
            for m, own in found.items()
            if not all(math.isnan(row["value"]) for row in own)
        }
    charts = {}
    for target in (PHONES, SPEAKERS):
        if own := [row for row in rows if row["target"] == target]:
            ylabel = f"frames right, {target}"
            if measure == INFORMATION:
                ylabel = f"information about {target}, bits of {own[0]['entropy']:.2f}"
            charts[target] = layer_chart(own, ylabel, percent=measure == PROBE)
    return charts


def _abx_row(row: dict, measure: str) -> dict:
    """The part of a row of phone ABX that is of one of its measures."""
    columns = {"value": measure, "low": f"{measure}_low", "high": f"{measure}_high"}
    return {**row, **{k: row[own] for k, own in columns.items()}, "chance": CHANCE}


def _abx_table(rows: list[dict]) -> Table:
    """Layers of all systems down, measures across."""
    return Table(
        f"Phone ABX, errors in % ({rows[0]['items']:,.0f} items of "
        f"{rows[0]['utterances']:.0f} utterances, chance {100 * CHANCE:.0f} %)",
        ["system", "layer", *map(title, MEASURES)],
        [
            [
                row["system"],
                row["layer"],
                *(_with_interval(_abx_row(row, m), "value", ABX) for m in MEASURES),
            ]
            for row in rows
        ],
    )


def _layer_table(rows: list[dict], measure: str, target: str) -> Table:
    """Layers down, systems across; with the jackknife beside mutual information."""
    rows = [row for row in rows if row["target"] == target]
    systems = list(dict.fromkeys(row["system"] for row in rows))
    layers = list(dict.fromkeys(row["layer"] for row in rows))
    cells = {(row["layer"], row["system"]): _cells(row, measure) for row in rows}
    columns = ["{}", "jackknife"] if measure == INFORMATION else ["{}"]
    empty = [""] * len(columns)
    return Table(
        f"{TITLES[measure, target]}, {_sizes(rows[0], measure)}",
        ["layer", *(column.format(s) for s in systems for column in columns)],
        [
            [layer, *(c for s in systems for c in cells.get((layer, s), empty))]
            for layer in layers
        ],
    )


def _cells(row: dict, measure: str) -> list[str]:
    value = _with_interval(row, "value", measure)
    return [value, f"{row['jackknife']:.3f}"] if measure == INFORMATION else [value]


def _sizes(row: dict, measure: str) -> str:
    sizes = (
        f"{row['classes']:.0f} classes, {row['frames']:,.0f} frames, "
        f"{row['utterances']:.0f} utterances"
    )
    if measure == INFORMATION:
        return f"bits ({sizes}, {row['clusters']:.0f} units)"
    return f"% ({sizes}, chance {100 * row['chance']:.1f} %)"


def _difference_table(rows: list[dict]) -> Table:
    return Table(
        "Best layers compared, on the same utterances (bits, or points of %)",
        ["what", "best layer of", "minus best layer of", "difference (95 %)"],
        [
            [
                TITLES[row["measure"], row["target"]],
                f"{row['system']}: {row['layer']}",
                f"{row['against']}: {row['against_layer']}",
                _with_interval(row, "difference", row["measure"], sign="+"),
            ]
            for row in rows
        ],
    )


def _with_interval(row: dict, name: str, measure: str, sign: str = "") -> str:
    scale, digits = (1.0, 3) if measure == INFORMATION else (100.0, 1)
    value = Estimate(*(scale * row[key] for key in (name, "low", "high")))
    return f"{value:{sign}.{digits}f}"
