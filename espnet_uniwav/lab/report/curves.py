"""Training curves of the report, with a caption that explains each."""

from __future__ import annotations

import math

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
# Tag, without the number of the codebook -> title and caption.
CODEBOOKS = {
    "target_perplexity": (
        "Target perplexity",
        "Effective number of codes of the teacher in a batch, of {size}. It should "
        "rise and stay high. Bad: a line near 1, where one code takes all frames. "
        "Codebook 0 is that of the lowest target layer. The dashed line is where the "
        "training, which averages over epochs, would report a collapse.",
    ),
    "prediction_perplexity": (
        "Prediction perplexity",
        "The same for the student's predictions. It begins near the number of codes "
        "(uniform predictions), drops, then should approach the target's. Bad: far "
        "below the target's for long.",
    ),
    "codes_used": (
        "Share of codes used in the epoch",
        "Codes that won at least one frame of the training epoch. Good: above one half "
        "for every codebook. Bad: below the dashed line for two epochs, which the "
        "training reports as collapse.",
    ),
    "entropy": (
        "Normalised entropy of the epoch",
        "How evenly the codes are used over an epoch: 1 is evenly, 0 is one code for "
        "all. Good: above 0.6. Bad: at or below the dashed line, a perplexity of "
        f"{100 * COLLAPSE_SHARE:.0f} % of the codes.",
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
    floor = COLLAPSE_SHARE * codebook_size
    even = max(0.0, 1.0 + math.log(COLLAPSE_SHARE) / math.log(codebook_size))
    batches, epochs = curves.train or curves.valid, curves.valid
    perplexity = dict(ylabel="codes", reference=(floor, COLLAPSE_LABEL))
    settings = {
        "target_perplexity": (batches, perplexity),
        "prediction_perplexity": (batches, perplexity),
        "codes_used": (
            epochs,
            dict(
                ylabel="codes used",
                reference=(COLLAPSE_SHARE, COLLAPSE_LABEL),
                percent=True,
            ),
        ),
        "entropy": (
            epochs,
            dict(
                ylabel="entropy / log(codes)", reference=(even, f"collapse, {even:.2f}")
            ),
        ),
    }
    figures = []
    for tag, (scalars, setting) in settings.items():
        title, caption = CODEBOOKS[tag]
        if lines := _codebook_lines(scalars, tag):
            picture = chart(lines, from_zero=True, **setting)
            caption = caption.format(size=codebook_size)
            figures.append(Figure(picture, caption, title))
    return figures


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


def _codebook_lines(scalars: Scalars, tag: str) -> list[Line]:
    """A line for every codebook that has values."""
    number = 0
    while f"{tag}_{number}" in scalars:
        number += 1
    colours = codebook_colours(number)
    return [
        Line(f"codebook {k}", scalars[f"{tag}_{k}"], colours[k]) for k in range(number)
    ]
