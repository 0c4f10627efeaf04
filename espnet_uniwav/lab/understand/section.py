"""Folder and report section: phone and speaker information in the layers."""

from __future__ import annotations

from pathlib import Path

from espnet_uniwav.io.output import write_text
from espnet_uniwav.lab.report.line_charts import Chart, draw_charts
from espnet_uniwav.lab.report.page import Figure, Section, Table
from espnet_uniwav.lab.report.pictures import save_png, to_data_uri
from espnet_uniwav.lab.score.bootstrap import Estimate
from espnet_uniwav.lab.understand.abx import CHANCE, MEASURES, AbxScore
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

ABX, TARGETS = "abx", (PHONES, SPEAKERS)
YLABELS = {INFORMATION: "bits of {entropy:.2f}", PROBE: "frames right", ABX: "errors"}
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
    (INFORMATION, PHONES): (
        "Bits of information about the phone in the k-means unit of a frame. Good: the "
        "upper layers are clearly above the raw features and the random encoder. Bad: "
        "a line on or below them, where clusters show no effect of training."
    ),
    (INFORMATION, SPEAKERS): (
        "Bits of information about the speaker, recording channel included, in the "
        "same units. Good for recognition: falling towards the layers with much phone "
        "information. Bad: high in all layers while the phones are low, where units "
        "represent voices."
    ),
    (PROBE, PHONES): (
        "Share of frames whose phone is found by a linear classifier that was fitted "
        "on other utterances. Good: rising above the raw features within a few layers. "
        "Bad: at the level of the random encoder, or falling to it in the last layers, "
        "which are then specialised on the objective."
    ),
    (PROBE, SPEAKERS): (
        "Share of frames whose speaker is found by a linear classifier fitted on other "
        "utterances of the same speakers, recording channel included. A random encoder "
        "is high: its attention averages over the utterance. Good: high in z, so that "
        "voices can be reproduced, and falling in the layers with much phone "
        "information. Bad: near chance in z, where the decoder has no speaker "
        "information."
    ),
}
LEAD = (
    "The state of every layer, of z (their weighted sum, from which the decoder "
    "generates), of the raw features and of a random encoder (the same network before "
    "training), at frames of held-out speech. Frames of silence count for speakers, "
    "not for phones. Bars hold 95 %, utterances and runs of k-means drawn again. "
    "Mutual information is what the k-means units of an utterance tell by a table "
    "counted in all other utterances: a lower bound, but never information by chance. "
    "The tables hold the jackknife estimate too; the truth should be between the two. "
    "Chance is what it says when utterances exchange their labels, and in a probe "
    "what naming the most frequent class gets."
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
        if rows:
            save_png(draw_charts(make_charts(rows, measure)), picture)
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
        for target, own in split_targets(rows, measure).items():
            picture = to_data_uri(draw_charts(make_charts(own, measure)))
            name, caption = TITLES[measure, target], CAPTIONS[measure, target]
            section.figures.append(Figure(picture, caption, name))
            section.tables.append(_layer_table(own, measure, name))
    if table_path(folder, ABX).is_file():
        rows = read_scores(table_path(folder, ABX))
        picture = to_data_uri(draw_charts(make_charts(rows, ABX)))
        section.figures.append(Figure(picture, ABX_CAPTION, "Phone ABX"))
        section.tables.append(_abx_table(rows))
    command = (folder / COMMAND).read_text(encoding="utf-8")
    section.code.append(("How this was measured", command.strip()))
    return section


def table_path(folder: Path, measure: str) -> Path:
    """Where the scores of a measure are kept."""
    return folder / f"{measure}.csv"


def split_targets(rows: list[dict], measure: str) -> dict[str, list[dict]]:
    """Rows of each target; they have a value, low, high and chance."""
    if measure == ABX:
        return {m: [_abx_row(row, m) for row in rows] for m in MEASURES}
    targets = {t: [row for row in rows if row["target"] == t] for t in TARGETS}
    return {target: own for target, own in targets.items() if own}


def make_charts(rows: list[dict], measure: str) -> list[Chart]:
    """A chart of each target of a measure."""
    charts = []
    for target, own in split_targets(rows, measure).items():
        ylabel = YLABELS[measure].format(**own[0])
        name = MEASURES.get(target, target)
        charts.append(layer_chart(own, f"{name}: {ylabel}", measure != INFORMATION))
    return charts


def _abx_row(row: dict, measure: str) -> dict:
    """The part of a row of phone ABX that is of one of its measures."""
    value, low, high = (row[f"{measure}{limit}"] for limit in ("", "_low", "_high"))
    return {**row, "value": value, "low": low, "high": high, "chance": CHANCE}


def _abx_table(rows: list[dict]) -> Table:
    """Layers of all systems down, measures across."""
    columns = [
        [_with_interval(row, "value", ABX) for row in own]
        for own in split_targets(rows, ABX).values()
    ]
    return Table(
        f"Phone ABX, errors in % ({rows[0]['items']:,.0f} items of "
        f"{rows[0]['utterances']:.0f} utterances, chance {100 * CHANCE:.0f} %)",
        ["system", "layer", *MEASURES.values()],
        [[r["system"], r["layer"], *cells] for r, *cells in zip(rows, *columns)],
    )


def _layer_table(rows: list[dict], measure: str, name: str) -> Table:
    """Layers down, systems across; with the jackknife beside mutual information."""
    systems = dict.fromkeys(row["system"] for row in rows)
    layers = dict.fromkeys(row["layer"] for row in rows)
    sizes = "{classes:.0f} classes, {frames:,.0f} frames, {utterances:.0f} utterances"
    chance = 100 * rows[0]["chance"]
    if measure == INFORMATION:
        unit, columns = f"bits ({sizes}, {{clusters:.0f}} units)", ("{}", "jackknife")
    else:
        unit, columns = f"% ({sizes}, chance {chance:.1f} %)", ("{}",)
    cells = {}
    for row in rows:
        own = [_with_interval(row, "value", measure)]
        if measure == INFORMATION:
            own.append(f"{row['jackknife']:.3f}")
        cells[row["layer"], row["system"]] = own
    empty = [""] * len(columns)
    return Table(
        f"{name}, {unit.format(**rows[0])}",
        ["layer", *(column.format(s) for s in systems for column in columns)],
        [
            [layer, *(c for s in systems for c in cells.get((layer, s), empty))]
            for layer in layers
        ],
    )


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
