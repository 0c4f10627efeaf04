"""ESPnet2 adapter for speech synthesis: a trained ``tts: uniwav`` as a ``Reader``."""

from __future__ import annotations

from pathlib import Path

from espnet_uniwav.apps.phones.ctm import SILENCE
from espnet_uniwav.apps.phones.from_text import Phonemizer
from espnet_uniwav.apps.tts.reader import Reader
from espnet_uniwav.apps.vocoder import use_vocoder
from espnet_uniwav.integrations.espnet.finetuned import load_finetuned
from espnet_uniwav.io.input import error_context


def load_reader(
    model_file: str | Path,
    config: str | Path | None = None,
    device: str = "cpu",
    vocoder: str | Path | None = None,
) -> Reader:
    """Load a model that ``tts_train`` saved. Executes no pickle.

    Args:
        model_file: Its weights, a .pth file; or a folder of ``uniwav export``.
        config: Its ``config.yaml``; None: beside the weights.
        device: Torch device.
        vocoder: See ``use_vocoder``; None: as ``tts_conf`` of the model says.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If the model is not ``tts: uniwav``.
    """
    model, args, task = load_finetuned(
        "tts", model_file, config, device, require_uniwav
    )
    synthesizer = model.tts.synthesizer
    use_vocoder(synthesizer.uniwav.features, vocoder or model.tts.vocoder)
    with error_context(config or model_file):
        tokenize = _tokenizer(args, task)
        normalize = getattr(tokenize, "normalize", str)
        tts = model.tts
        return Reader(
            synthesizer,
            args.token_list,
            tokenize,
            normalize,
            tts.sampling,
            tts.voice,
            tts.manner["speed"],
        )


def require_uniwav(config: Path, args: dict) -> None:
    """Raise a ValueError if the arguments are not those of ``tts: uniwav``."""
    if args.get("tts") != "uniwav":
        raise ValueError(
            f"{config}: expected tts: uniwav, found tts: {args.get('tts')}"
        )


def _tokenizer(args, task):
    """Text -> tokens: by our phonemizer for its phones, else as in training."""
    if args.token_type == "phn" and args.g2p is None and SILENCE in args.token_list:
        return Phonemizer()
    preprocess = task.build_preprocess_fn(args, train=False)
    return lambda text: preprocess.tokenizer.text2tokens(preprocess.text_cleaner(text))
