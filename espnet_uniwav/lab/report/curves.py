"""Training curves of the report, with a caption that explains each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import count, takewhile

from espnet_uniwav.core.ssl.dinosr import COLLAPSE_SHARE
from espnet_uniwav.lab.report.line_charts import (
    Chart,
    Line,
    codebook_colours,
    draw_charts,
)
from espnet_uniwav.lab.report.page import Figure, Section
from espnet_uniwav.lab.report.pictures import BLUE, ORANGE, to_data_uri
from espnet_uniwav.lab.report.scalars import Curves

COLLAPSE_LABEL = f"collapse, {100 * COLLAPSE_SHARE:.0f} %"
NO_CURVES = (
    "No TensorBoard events in the experiment folder: train with "
    "--use_tensorboard true to see curves here."
)


@dataclass(frozen=True)
class Plot:
    """A number of the training, and how to read it.

    Attributes:
        title: Heading of its chart.
        caption: Good and bad courses; ``{size}`` is the number of codewords.
        ylabel: Unit.
        percent: It is a share.
    """

    title: str
    caption: str
    ylabel: str = ""
    percent: bool = False


# Heading -> tag of ESPnet -> what to draw.
TRAINING = {
    "Losses and accuracy": {
        "loss_dinosr": Plot(
            "Self-distillation (loss_dinosr)",
            "Cross-entropy of the teacher's codes at masked frames. It should fall, "
            "and may rise for a while as the codebooks come to use more codes. Bad: "
            "near zero together with a low perplexity below, which is collapse.",
            "cross-entropy (nats)",
        ),
        "loss_flow_matching": Plot(
            "Flow matching (loss_flow_matching)",
            "Squared error of the velocity at masked frames. It should fall fast, then "
            "slowly, and never reaches zero, as masked frames are not fully "
            "predictable. Bad: validation rises while training falls (overfitting).",
            "squared error",
        ),
        "accuracy": Plot(
            "Accuracy of masked prediction",
            "Share of masked frames whose code, of {size}, is predicted, over all "
            "codebooks. It should be far above the dashed line of chance. Bad: near "
            "chance, or near 100 % with few codes in use.",
            "frames right",
            percent=True,
        ),
    },
    # The tags of codebooks end in their number.
    "Codebooks": {
        "target_perplexity": Plot(
            "Target perplexity",
            "Effective number of codes of the teacher in a batch, of {size}. It should "
            "rise and stay high. Bad: a line near 1, where one code takes all frames. "
            "Codebook 0 is that of the lowest target layer. The dashed line is where "
            "the training, which averages over epochs, would report a collapse.",
            "codes",
        ),
        "prediction_perplexity": Plot(
            "Prediction perplexity",
            "The same for the student's predictions. It begins near the number of "
            "codes (uniform predictions), drops, then should approach the target's. "
            "Bad: far below the target's for long.",
            "codes",
        ),
        "codes_used": Plot(
            "Share of codes used in the epoch",
            "Codes that won at least one frame of the training epoch. Good: above one "
            "half for every codebook. Bad: below the dashed line for two epochs, which "
            "the training reports as collapse.",
            "codes used",
            percent=True,
        ),
        "entropy": Plot(
            "Normalised entropy of the epoch",
            "How evenly the codes are used over an epoch: 1 is evenly, 0 is one code "
            "for all. Good: above 0.6. Bad: at or below the dashed line, a perplexity "
            f"of {100 * COLLAPSE_SHARE:.0f} % of the codes.",
            "entropy / log(codes)",
        ),
    },
    "Training, other numbers": {
        "ema_decay": Plot(
            "Decay of the teacher's average",
            "Follows its schedule. Bad: a jump, or a level of 1 (a teacher that is "
            "frozen) earlier than configured.",
        ),
        "grad_norm": Plot(
            "Gradient norm",
            "Before clipping. Steady or slowly falling is good. Bad: spikes that grow.",
        ),
        "optim0_lr0": Plot(
            "Learning rate", "Rises in the warm-up, then follows its schedule."
        ),
        "masked_share": Plot(
            "Share of frames masked",
            "Steady, about one half with the usual spans. Bad: near 0 or 1.",
        ),
        "padding_share": Plot(
            "Share of frames that are padding",
            "Wasted computation. Bad: above a tenth; sort batches by length.",
        ),
        "audio_seconds_per_second": Plot(
            "Audio seconds per second",
            "Speed of a step. Bad: a slow fall (memory) or long dips (the machine was "
            "shared).",
        ),
        "nonfinite_steps": Plot(
            "Steps skipped as not finite",
            "Should stay at zero. Bad: any growth; lower the learning rate.",
        ),
    },
}


def curve_sections(curves: Curves, codebook_size: int) -> list[Section]:
    """Losses, codebooks and the other numbers of a training, over its steps."""
    sections = []
    for heading, plots in TRAINING.items():
        lines_of = _codebook_lines if heading == "Codebooks" else _train_and_valid
        section = Section(heading)
        for tag, plot in plots.items():
            if lines := lines_of(curves, tag):
                lines += _levels(tag, codebook_size)
                chart = Chart(plot.ylabel, lines, percent=plot.percent)
                picture = to_data_uri(draw_charts([chart]))
                caption = plot.caption.format(size=codebook_size)
                section.figures.append(Figure(picture, caption, plot.title))
        if not section.figures:
            empty = not (curves.train or curves.valid)
            section.notes.append(NO_CURVES if empty else "Not reported by this run.")
        sections.append(section)
    return sections


def _levels(tag: str, size: int) -> list[Line]:
    """The level of chance or of collapse, for codebooks of some size."""
    chance, floor = 1 / size, COLLAPSE_SHARE * size
    even = max(0.0, math.log(max(floor, 1)) / math.log(size))
    levels = {
        "accuracy": Line(f"chance, {100 * chance:.2f} %", [chance]),
        "target_perplexity": Line(COLLAPSE_LABEL, [floor]),
        "prediction_perplexity": Line(COLLAPSE_LABEL, [floor]),
        "codes_used": Line(COLLAPSE_LABEL, [COLLAPSE_SHARE]),
        "entropy": Line(f"collapse, {even:.2f}", [even]),
    }
    return [levels[tag]] if tag in levels else []


def _train_and_valid(curves: Curves, tag: str) -> list[Line]:
    """Lines of a tag; short runs show epoch means instead of interval means."""
    lines = []
    train = curves.train.get(tag, ([], []))
    if len(train[0]) < 2:
        train = curves.train_epochs.get(tag, train)
    if len(train[0]):
        lines.append(Line("training", train[1], train[0], BLUE))
    if tag in curves.valid:
        steps, values = curves.valid[tag]
        lines.append(Line("validation", values, steps, ORANGE, marked=True))
    return lines


def _codebook_lines(curves: Curves, tag: str) -> list[Line]:
    """A line for every codebook; of the validation where the training has none."""
    scalars = {**curves.valid, **curves.train}
    tags = takewhile(scalars.__contains__, (f"{tag}_{k}" for k in count()))
    series = [scalars[own] for own in tags]
    return [
        Line(f"codebook {k}", values, steps, colour)
        for k, ((steps, values), colour) in enumerate(
            zip(series, codebook_colours(len(series)))
        )
    ]
