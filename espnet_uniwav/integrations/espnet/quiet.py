"""Suppression of messages of other packages that our users do not need.

Each entry hides one message of one module. Errors and all other warnings are shown.
"""

from __future__ import annotations

import functools
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import ModuleType

NO_FLASH_ATTENTION = (
    "Failed to import Flash Attention, using ESPnet default: No module named "
    "'flash_attn'"
)


@contextmanager
def _without_flash_attention(module: ModuleType) -> Iterator[None]:
    """Hide ESPnet's message that a package for some GPUs is not installed."""

    def show(*values, **options) -> None:
        if values != (NO_FLASH_ATTENTION,):
            print(*values, **options)

    module.print = show
    yield
    del module.print


@contextmanager
def _without_downloads(module: ModuleType) -> Iterator[None]:
    """Hide g2p_en's download messages; missing data raise an error later."""
    import nltk

    download = nltk.download
    nltk.download = functools.partial(
        download, quiet=True, print_error_to=io.StringIO()
    )
    try:
        yield
    finally:
        nltk.download = download


@contextmanager
def _without_torchaudio(module: ModuleType) -> Iterator[None]:
    """Hide torchaudio 2.8's deprecation warnings about functions that S3PRL calls."""
    warnings.filterwarnings(
        "ignore",
        r"torchaudio\.\S+ has been deprecated|In 2\.9, this function's implementation",
        UserWarning,
        r"s3prl\.|torchaudio\._",
    )
    yield


@contextmanager
def _without_autocast(module: ModuleType) -> Iterator[None]:
    """Hide the deprecation warning about ``torch.cuda.amp``, which ESPnet calls."""
    warnings.filterwarnings(
        "ignore", r"`torch\.cuda\.amp\.\w+\(args", FutureWarning, r"espnet2\."
    )
    yield


ATTENTION = "nets.pytorch_backend.transformer.attention"
# module -> what its import is surrounded by
QUIET = {
    f"espnet.{ATTENTION}": _without_flash_attention,
    f"espnet2.legacy.{ATTENTION}": _without_flash_attention,  # since ESPnet 202609
    "espnet2.train.abs_espnet_model": _without_autocast,
    "g2p_en.g2p": _without_downloads,
    "s3prl.hub": _without_torchaudio,
}


def quietly(module: ModuleType):
    """Context in which the code of a module is executed."""
    return QUIET.get(module.__name__, nullcontext)(module)
