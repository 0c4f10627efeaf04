"""Infilling of gaps in one recording."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from espnet_uniwav.apps.infill.filling import fill_gaps, gap_mask
from espnet_uniwav.apps.vocoder import use_vocoder
from espnet_uniwav.apps.vocoder.splicing import FADE_SECONDS, splice, vocode_gaps
from espnet_uniwav.core.checkpoint import load_checkpoint
from espnet_uniwav.core.flow.sampling import Sampling
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.io.audio import check_speech_output, read_speech, write_speech
from espnet_uniwav.io.bounds import check_number

MIN_SECONDS = 0.1


def infill(
    input: str | Path,
    output: str | Path,
    checkpoint: str | Path,
    start: float | Sequence[float],
    end: float | Sequence[float],
    context: float = 10.0,
    splice: bool = True,
    seed: int = 0,
    vocoder: str | Path | None = None,
    device: str = "cpu",
    **sampling,
) -> str:
    """Replace parts of a recording by generated speech.

    Args:
        input: Any file that libsndfile reads.
        output: File to write: .wav, .flac, .ogg, .opus or .mp3.
        checkpoint: Folder of ``uniwav export``, or a name; it needs a decoder.
        start: Start of each gap (seconds).
        end: End of each gap (seconds), in the same order.
        context: Seconds that the model sees on either side of a gap.
        splice: Keep the original samples outside the gaps, except for a fade of 15 ms;
            otherwise all of the output is vocoded.
        seed: Seed of all random draws.
        vocoder: Checkpoint or none (Griffin-Lim); None: the model's, else the packaged.
        device: Torch device, such as cuda.
        **sampling: Settings of the solver, see ``Sampling``.

    Returns:
        What was done, in one line.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    settings = Sampling(**sampling)
    for name, value in (("seed", seed), ("context", context)):
        check_number(name, value)
    start, end = (np.atleast_1d(times).tolist() for times in (start, end))
    if len(start) != len(end):
        raise ValueError(
            f"expected a --end for each --start, found {len(start)} starts and "
            f"{len(end)} ends; give them in pairs"
        )
    check_speech_output(output)
    model = load_generator(checkpoint).to(device)
    use_vocoder(model.features, vocoder)
    rate = model.features.spec.sample_rate
    speech = torch.from_numpy(read_speech(input, rate))
    gaps = list(zip(start, end))
    rendered, generated = fill_recording(
        model, speech, gaps, settings, seed, context, splice, str(input)
    )
    write_speech(output, rendered, rate)
    return f"{output}: {generated:.2f} of {len(speech) / rate:.2f} s generated"


def fill_recording(
    model: UniWav,
    speech: Tensor,
    gaps: list[tuple[float, float]],
    settings: Sampling,
    seed: int = 0,
    context: float = 10.0,
    splice: bool = True,
    where: str = "the recording",
) -> tuple[Tensor, float]:
    """Replace gaps of a recording; arguments as of ``infill``.

    Args:
        model: With a decoder, in eval mode.
        speech: (S,) samples at the model's rate.
        gaps: Pairs of start and end (seconds).
        settings: Of the solver.
        seed, context, splice: As of ``infill``.
        where: Name of the file, for the errors.

    Returns:
        (S,) samples, and the seconds that were generated.

    Raises:
        ValueError: If the recording is too short, or a gap is not inside it.
    """
    spec = model.features.spec
    if (seconds := len(speech) / spec.sample_rate) < MIN_SECONDS:
        raise ValueError(
            f"{where}: expected at least {MIN_SECONDS} seconds, found {seconds:.3f}; "
            "use a longer file"
        )
    mask = gap_mask(gaps, spec.num_frames(len(speech)), spec.frame_rate, where)
    x = model.features.extract_one(speech)
    filled = fill_gaps(model, x, mask, settings, seed, context)
    if splice:
        rendered = _splice(model, speech, filled, mask, gaps)
    else:
        rendered = model.features.invert_one(filled)[: len(speech)]
    return rendered, int(mask.sum()) / spec.frame_rate


def load_generator(folder: str | Path) -> UniWav:
    """Load a checkpoint with a decoder.

    Raises:
        FileNotFoundError, ValueError: If it is missing, broken, or has no decoder.
    """
    model = load_checkpoint(folder)
    if model.decoder is None:
        raise ValueError(
            f"{folder}: this checkpoint has no decoder; use one that was trained with "
            "the flow_matching loss"
        )
    return model


def _splice(
    model: UniWav,
    speech: Tensor,
    filled: Tensor,
    mask: Tensor,
    gaps: list[tuple[float, float]],
) -> Tensor:
    rate = model.features.spec.sample_rate
    generated = vocode_gaps(model.features, filled, mask, len(speech))
    bounds = [(round(start * rate), round(end * rate)) for start, end in gaps]
    return splice(speech, generated, bounds, round(FADE_SECONDS * rate))
