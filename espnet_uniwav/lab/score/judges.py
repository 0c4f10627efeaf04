"""Judges of voice and naturalness with weights from packages."""

from __future__ import annotations

import numpy as np
import torch

RATE = 16000


class SpeakerJudge:
    """Resemblyzer's embedding of a voice (GE2E, 256 dimensions)."""

    name = "resemblyzer"

    def __init__(self):
        from resemblyzer import VoiceEncoder

        self.encoder = VoiceEncoder("cpu", verbose=False)

    def embed(self, speech: np.ndarray) -> np.ndarray:
        """Unit vector (256,) of samples (S,) at 16 kHz."""
        from resemblyzer import preprocess_wav

        speech = np.asarray(speech, dtype=np.float32)
        spoken = preprocess_wav(speech, source_sr=RATE)
        return self.encoder.embed_utterance(spoken if len(spoken) else speech)


class NaturalnessJudge:
    """DistillMOS: a mean opinion score, 1 to 5, without a reference."""

    name = "distillmos"

    def __init__(self):
        import distillmos

        self.model = distillmos.ConvTransformerSQAModel().eval()

    @torch.no_grad()
    def score(self, speech: np.ndarray) -> float:
        """Score of samples (S,) at 16 kHz."""
        return float(self.model(torch.as_tensor(speech, dtype=torch.float32)[None]))
