"""ESPnet2 adapter for alignment: CTC posteriors of an ASR model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from espnet_uniwav.integrations.espnet.recogniser import load_model
from espnet_uniwav.io.input import error_context
from espnet_uniwav.io.units import parse_rate

DEFAULT_RATE = 16000


class Recogniser:
    """Interface that ``alignment.ctc.CTCAligner`` needs from a model.

    Attributes:
        tokens: The V names of the model's outputs.
        blank: Index of the blank among them.
        sample_rate: Hz.
        whole_words: Whether each token is a word.
    """

    def __init__(self, model, preprocess, sample_rate: int, token_type: str):
        self.model = model.eval()
        self.preprocess = preprocess
        self.tokens = list(model.token_list)
        self.blank = model.blank_id
        self.sample_rate = sample_rate
        self.whole_words = token_type == "word"

    def tokenize(self, text: str) -> list[str]:
        """The tokens of a text, cleaned and split as in the training."""
        cleaned = self.preprocess.text_cleaner(text)
        return self.preprocess.tokenizer.text2tokens(cleaned)

    @torch.no_grad()
    def log_probs(self, speech: np.ndarray) -> Tensor:
        """CTC log posteriors (T, V) of samples (S,)."""
        device = next(self.model.parameters()).device
        wav = torch.as_tensor(speech, dtype=torch.float32, device=device)[None]
        lengths = torch.tensor([wav.shape[1]], device=device)
        encoded, encoded_lengths = self.model.encode(wav, lengths)
        if isinstance(encoded, tuple):
            encoded = encoded[0]
        return self.model.ctc.log_softmax(encoded)[0, : int(encoded_lengths[0])]


def load_recogniser(
    config: str | Path | None, model_file: str | Path, device: str = "cpu"
) -> Recogniser:
    """Load a model that ``asr_train`` saved. Executes no pickle.

    Args:
        config: Its ``config.yaml``; None: beside the weights, or in the folder.
        model_file: Its weights, a .pth file; or a folder of ``uniwav export --whole``.
        device: Torch device.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If weights are missing, or if the model has no CTC or no text.
    """
    model, args, task = load_model(model_file, config, device)
    where = config or model_file
    if getattr(model, "ctc", None) is None:
        raise ValueError(
            f"{where}: expected a model with CTC, found ctc_weight 0; train it with "
            "CTC to align"
        )
    with error_context(where):
        preprocess = task.build_preprocess_fn(args, train=False)
        if preprocess is None or preprocess.tokenizer is None:
            raise ValueError("expected a token_type, found none")
        rate = parse_rate((args.frontend_conf or {}).get("fs", DEFAULT_RATE))
    return Recogniser(model, preprocess, rate, args.token_type)
