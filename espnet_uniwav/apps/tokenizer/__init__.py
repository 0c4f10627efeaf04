"""Speech tokens: speech -> codes of frames -> speech."""

from __future__ import annotations

__all__ = ["UniWavTokenizer"]


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from espnet_uniwav.apps.tokenizer.tokenizer import UniWavTokenizer

    return UniWavTokenizer
