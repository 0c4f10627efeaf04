"""Held-out utterances in four versions: original, masked, filled in, vocoded copy."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from espnet_uniwav.apps.infill.filling import (
    fill_model,
    span_mask,
)
from espnet_uniwav.apps.vocoder.splicing import runs
from espnet_uniwav.core.flow.sampling import Sampling
from espnet_uniwav.io.audio import read_speech, seconds_of
from espnet_uniwav.io.kaldi import Utterance
from espnet_uniwav.io.source import Source
from espnet_uniwav.lab.report.page import Clip, Row
from espnet_uniwav.lab.report.pictures import audio_data_uri, mel_decibels, spectrogram

MIN_SECONDS, MAX_SECONDS = 3.0, 8.0


def choose_utterances(
    utterances: list[Utterance], count: int, seed: int = 0
) -> list[Utterance]:
    """Choose utterances of 3 to 8 seconds, from as many speakers as possible.

    The order is a hash of the name and the seed. If there are too few, those nearest to
    that length are added.

    Raises:
        ValueError: If none of the files can be read.
    """
    ranked = sorted(utterances, key=lambda u: _hash(u.name, seed))
    chosen, spare = [], []
    for utterance in ranked:
        if len(chosen) == count:
            return chosen
        outside = _seconds_outside(utterance.path)
        speakers = {u.speaker for u in chosen}
        repeated = bool(utterance.speaker) and utterance.speaker in speakers
        if outside == 0.0 and not repeated:
            chosen.append(utterance)
        elif outside is not None:
            spare.append((outside, len(spare), utterance))
    chosen += [u for *_, u in sorted(spare, key=lambda s: s[:2])][: count - len(chosen)]
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
    """The four versions of one utterance, as players and pictures.

    Args:
        model: ``UniWav`` in eval mode.
        utterance: Utterance to read.
        sampling: Solver settings.
        share: Share of frames to hide.
        span: Seconds of one hidden span.
        seed: Seed of the mask and the noise.
    """
    features = model.features
    spec = features.spec
    speech = torch.from_numpy(read_speech(utterance.path, spec.sample_rate))
    x = features.extract_one(speech)
    span_frames = max(round(span * spec.frame_rate), 1)
    mask = span_mask(utterance.name, len(x), span_frames, share, seed)
    silent = silence_frames(features, x, mask)
    filled = fill_model(model, [x], [mask], sampling, seed=seed)[0]
    seconds = len(speech) / spec.sample_rate
    gaps = [
        (first / spec.frame_rate, min(last / spec.frame_rate, seconds))
        for first, last in runs(mask)
    ]
    versions = {"Original": (speech, [])}
    for title, frames, marked in (
        ("Masked", silent, gaps),
        ("Filled in by the model", filled, gaps),
        ("Copy by the features (ceiling)", x, []),
    ):
        versions[title] = features.invert_one(frames)[: len(speech)], marked
    clips = _make_clips(versions, spec.sample_rate)
    title = (
        f"{utterance.name}, {seconds:.1f} s, {100 * mask.float().mean():.0f} % hidden"
    )
    return Row(title, clips, utterance.text)


def silence_frames(features, x: Tensor, mask: Tensor) -> Tensor:
    """Replace masked frames of x (T, F) by those of digital silence."""
    silence = features.extract_one(torch.zeros(len(x) * features.spec.hop_length))
    return torch.where(mask[:, None], silence[: len(x)], x)


def _make_clips(versions: dict, sample_rate: int) -> list[Clip]:
    peak = float(mel_decibels(versions["Original"][0].numpy(), sample_rate).max())
    return [
        Clip(
            title,
            audio_data_uri(speech.numpy(), sample_rate),
            spectrogram(speech.numpy(), sample_rate, peak, spans),
        )
        for title, (speech, spans) in versions.items()
    ]


def _hash(name: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()


def _seconds_outside(path: Source) -> float | None:
    """Distance of a file's length from 3 to 8 seconds; None if it is not audio."""
    try:
        seconds = seconds_of(path)
    except (ValueError, OSError):
        return None
    return max(MIN_SECONDS - seconds, seconds - MAX_SECONDS, 0.0)
