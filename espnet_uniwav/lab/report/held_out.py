"""Held-out utterances as original, masked, filled in, and copied by the features."""

from __future__ import annotations

from pathlib import Path

import torch
from tqdm import tqdm

from espnet_uniwav.apps.infill.filling import fill_model, span_mask
from espnet_uniwav.apps.vocoder.splicing import runs
from espnet_uniwav.core.flow.sampling import Sampling
from espnet_uniwav.io.audio import read_speech, seconds_of
from espnet_uniwav.io.kaldi import Utterance, hash_share, read_data_folder
from espnet_uniwav.io.source import Source
from espnet_uniwav.lab.report.page import Row, Section
from espnet_uniwav.lab.report.pictures import make_clips

MIN_SECONDS, MAX_SECONDS = 3.0, 8.0
NO_CHECKPOINT = "No checkpoint given: export one and pass it with --checkpoint."
NO_DECODER = (
    "This checkpoint has no decoder (it was trained without the flow_matching loss), "
    "so it cannot infill."
)


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
    elif model.decoder is None:
        section.notes.append(NO_DECODER)
    else:
        chosen = choose_utterances(read_data_folder(wav_scp), count, seed)
        if len(chosen) < count:
            section.notes.append(f"Only {len(chosen)} utterances could be read.")
        bar = tqdm(chosen, desc="report", unit="utt", disable=None)
        section.rows = [make_row(model, u, sampling, share, span, seed) for u in bar]
    return section


def choose_utterances(
    utterances: list[Utterance], count: int, seed: int = 0
) -> list[Utterance]:
    """Choose utterances of 3 to 8 seconds, from as many speakers as possible.

    The order is a hash of the name and the seed. If there are too few, those nearest to
    that length are added.

    Raises:
        ValueError: If none of the files can be read.
    """
    ranked = sorted(utterances, key=lambda u: hash_share(f"{seed}/{u.name}"))
    chosen, spare = [], []
    for utterance in ranked:
        if len(chosen) == count:
            return chosen
        outside = _seconds_outside(utterance.path)
        speakers = {u.speaker for u in chosen if u.speaker}
        if outside == 0.0 and utterance.speaker not in speakers:
            chosen.append(utterance)
        elif outside is not None:
            spare.append((outside, utterance))
    spare.sort(key=lambda pair: pair[0])
    chosen += [u for _, u in spare[: count - len(chosen)]]
    if count and not chosen:
        raise ValueError(
            f"none of {len(utterances)} utterances can be read as audio; check the "
            "paths in wav.scp, which are relative to the current folder"
        )
    return chosen


def make_row(
    model,
    utterance: Utterance,
    sampling: Sampling,
    share: float,
    span: float,
    seed: int,
) -> Row:
    """The four versions of one utterance; arguments as of ``utterance_section``."""
    features = model.features
    spec = features.spec
    speech = torch.from_numpy(read_speech(utterance.path, spec.sample_rate))
    x = features.extract_one(speech)
    span_frames = max(round(span * spec.frame_rate), 1)
    mask = span_mask(utterance.name, len(x), span_frames, share, seed)
    silence = features.extract_one(torch.zeros(len(x) * spec.hop_length))
    masked = torch.where(mask[:, None], silence[: len(x)], x)
    filled = fill_model(model, [x], [mask], sampling, seed=seed)[0]
    seconds = len(speech) / spec.sample_rate
    gaps = [
        (first / spec.frame_rate, min(last / spec.frame_rate, seconds))
        for first, last in runs(mask)
    ]
    versions = {"Original": (speech.numpy(), [])}
    for title, frames, marked in (
        ("Masked", masked, gaps),
        ("Filled in by the model", filled, gaps),
        ("Copy by the features (ceiling)", x, []),
    ):
        versions[title] = features.invert_one(frames)[: len(speech)].numpy(), marked
    hidden = 100 * mask.float().mean()
    title = f"{utterance.name}, {seconds:.1f} s, {hidden:.0f} % hidden"
    return Row(title, make_clips(versions, spec.sample_rate), utterance.text)


def _seconds_outside(path: Source) -> float | None:
    """Distance of a file's length from 3 to 8 seconds; None if it is not audio."""
    try:
        seconds = seconds_of(path)
    except (ValueError, OSError):
        return None
    return max(MIN_SECONDS - seconds, seconds - MAX_SECONDS, 0.0)
