"""UniWav for ESPnet and S3PRL: one model for speech understanding and generation.

The names in ``__all__`` are imported on first use:

    from espnet_uniwav import Synthesizer, UniWav, UniWavTokenizer
    from espnet_uniwav import load, load_checkpoint
    from espnet_uniwav import detokenize, edit, infill, synthesize, tokenize

``load`` takes a checkpoint of any kind, ``load_checkpoint`` that of a ``UniWav``. The
functions in the last line are the commands ``uniwav detokenize``, ``edit``,
``infill``, ``tts`` and ``tokenize``, with their options as keywords.
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

_MODULES = {
    "Synthesizer": "apps.tts.synthesizer",
    "UniWav": "core.model",
    "UniWavTokenizer": "apps.tokenizer.tokenizer",
    "detokenize": "apps.tokenizer.recordings",
    "edit": "apps.tts.edit",
    "infill": "apps.infill.recording",
    "load": "core.checkpoint",
    "load_checkpoint": "core.checkpoint",
    "synthesize": "apps.tts.speaking",
    "tokenize": "apps.tokenizer.recordings",
}
__all__ = [*_MODULES, "__version__"]


def __getattr__(name: str):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
