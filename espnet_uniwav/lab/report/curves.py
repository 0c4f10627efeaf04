"""Training curves of the report, with a caption that explains each."""

from __future__ import annotations

import math
from collections.abc import Callable

from espnet_uniwav.core.ssl.dinosr import COLLAPSE_SHARE
from espnet_uniwav.lab.report.line_charts import Line, chart, codebook_colours
from espnet_uniwav.lab.report.page import Figure
from espnet_uniwav.lab.report.pictures import BLUE, ORANGE
from espnet_uniwav.lab.report.scalars import Curves, Scalars

COLLAPSE_LABEL = f"collapse, {100 * COLLAPSE_SHARE:.0f} %"
OBJECTIVES = {
    "loss_dinosr": (
        "Self-distillation (loss_dinosr)",
        "cross-entropy (nats)",
        "Cross-entropy of the teacher's codes at masked frames. It should fall, and "
        "may rise for a while as the codebooks come to use more codes. Bad: near zero "
        "together with a low perplexity below, which is collapse.",
    ),
    "loss_flow_matching": (
        "Flow matching (loss_flow_matching)",
        "squared error",
        "Squared error of the velocity at masked frames. It should fall fast, then "
        "slowly, and never reaches zero, as masked frames are not fully predictable. "
        "Bad: validation rises while training falls (overfitting).",
    ),
}
OTHERS = {
    "ema_decay": (
        "Decay of the teacher's average",
        "Follows its schedule. Bad: a jump, or a level of 1 (a teacher that is frozen) "
        "earlier than configured.",
    ),
    "grad_norm": (
        "Gradient norm",
        "Before clipping. Steady or slowly falling is good. Bad: spikes that grow.",
    ),
    "optim0_lr0": (
        "Learning rate",
        "Rises in the warm-up, then follows its schedule.",
    ),
    "masked_share": (
        "Share of frames masked",
        "Steady, about one half with the usual spans. Bad: near 0 or 1.",
    ),
    "padding_share": (
        "Share of frames that are padding",
        "Wasted computation. Bad: above a tenth; sort batches by length.",
    ),
    "audio_seconds_per_second": (
        "Audio seconds per second",
        "Speed of the training step. Bad: a slow fall (memory) or long dips (the "
        "machine was shared).",
    ),
    "nonfinite_steps": (
        "Steps skipped as not finite",
        "Should stay at zero. Bad: any growth; lower the learning rate.",
    ),
}


def objective_figures(curves: Curves, codebook_size: int) -> list[Figure]:
    """Both losses, and how often the masked frames' codes are predicted."""
    figures = []
    for tag, (title, ylabel, caption) in OBJECTIVES.items():
        if lines := _train_and_valid(curves, tag):
            figures.append(
                Figure(chart(lines, ylabel, small=True), caption, title, small=True)
            )
    if lines := _train_and_valid(curves, "accuracy"):
        chance = 1.0 / codebook_size
        picture = chart(
            lines,
            "frames right",
            reference=(chance, f"chance, {100 * chance:.2f} %"),
            percent=True,
            from_zero=True,
            small=True,
        )
        caption = (
            f"Share of masked frames whose code, of {codebook_size}, is predicted, "
            "over all codebooks. It should be far above the dashed line of chance. "
            "Bad: near chance, or near 100 % with few codes in use."
        )
        figures.append(
            Figure(picture, caption, "Accuracy of masked prediction", small=True)
        )
    return figures


def codebook_figures(curves: Curves, codebook_size: int) -> list[Figure]:
    """Use and perplexity of every codebook over time, with the line of collapse."""
    figures = [
        *_perplexities(curves.train or curves.valid, codebook_size),
        *_use(curves.valid, codebook_size),
    ]
    return [figure for figure in figures if figure]


def _perplexities(scalars: Scalars, codebook_size: int) -> list[Figure | None]:
    """Perplexity of the targets and of the predictions in a batch."""
    floor = COLLAPSE_SHARE * codebook_size
    return [
        _codebooks(
            scalars,
            "target_perplexity",
            "Target perplexity",
            f"Effective number of codes of the teacher in a batch, of {codebook_size}. "
            "It should rise and stay high. Bad: a line near 1, where one code takes "
            "all frames. Codebook 0 is that of the lowest target layer. The "
            "dashed line is where the training, which averages over epochs, would "
            "report a collapse.",
            lambda lines: chart(
                lines, "codes", reference=(floor, COLLAPSE_LABEL), from_zero=True
            ),
        ),
        _codebooks(
            scalars,
            "prediction_perplexity",
            "Prediction perplexity",
            "The same for the student's predictions. It begins near the number of "
            "codes (uniform predictions), drops, then should approach the target's. "
            "Bad: far below the target's for long.",
            lambda lines: chart(
                lines, "codes", reference=(floor, COLLAPSE_LABEL), from_zero=True
            ),
        ),
    ]


def _use(scalars: Scalars, codebook_size: int) -> list[Figure | None]:
    """Codes used in an epoch, and how evenly."""
    entropy_floor = max(0.0, 1.0 + math.log(COLLAPSE_SHARE) / math.log(codebook_size))
    return [
        _codebooks(
            scalars,
            "codes_used",
            "Share of codes used in the epoch",
            "Codes that won at least one frame of the training epoch. Good: above one "
            "half for every codebook. Bad: below the dashed line for two epochs, which "
            "the training reports as collapse.",
            lambda lines: chart(
                lines,
                "codes used",
                reference=(COLLAPSE_SHARE, COLLAPSE_LABEL),
                percent=True,
                from_zero=True,
            ),
        ),
        _codebooks(
            scalars,
            "entropy",
            "Normalised entropy of the epoch",
            "How evenly the codes are used over an epoch: 1 is evenly, 0 is one code "
            "for all. Good: above 0.6. Bad: at or below the dashed line, a perplexity "
            f"of {100 * COLLAPSE_SHARE:.0f} % of the codes.",
            lambda lines: chart(
                lines,
                "entropy / log(codes)",
                reference=(entropy_floor, f"collapse, {entropy_floor:.2f}"),
                from_zero=True,
            ),
        ),
    ]


def other_figures(curves: Curves) -> list[Figure]:
    """Teacher decay, gradient, learning rate, masks, speed, skipped steps."""
    return [
        Figure(
            chart(lines, "", from_zero=tag != "ema_decay", small=True),
            caption,
            title,
            small=True,
        )
        for tag, (title, caption) in OTHERS.items()
        if (lines := _train_and_valid(curves, tag, phases=("train",)))
    ]


def _train_and_valid(
    curves: Curves, tag: str, phases: tuple[str, ...] = ("train", "valid")
) -> list[Line]:
    """Lines of a tag; short runs show epoch means instead of interval means."""
    lines = []
    train = curves.train.get(tag, ([], []))
    if len(train[0]) < 2:
        train = curves.train_epochs.get(tag, train)
    if "train" in phases and len(train[0]):
        lines.append(Line("training", train, BLUE))
    if "valid" in phases and tag in curves.valid:
        lines.append(Line("validation", curves.valid[tag], ORANGE, marked=True))
    return lines


def _codebooks(
    scalars: Scalars,
    tag: str,
    title: str,
    caption: str,
    draw: Callable[[list[Line]], str],
) -> Figure | None:
    number = 0
    while f"{tag}_{number}" in scalars:
        number += 1
    if not number:
        return None
    colours = codebook_colours(number)
    lines = [
        Line(f"codebook {k}", scalars[f"{tag}_{k}"], colours[k]) for k in range(number)
    ]
    return Figure(draw(lines), caption, title)
