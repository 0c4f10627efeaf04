"""What other packages print while they are imported and no user of ours needs.

Nothing else is touched: neither errors nor warnings, and nothing after the import.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import ModuleType

NO_FLASH_ATTENTION = (
    "Failed to import Flash Attention, using ESPnet default: No module named "
    "'flash_attn'"
)


@contextmanager
def _without_flash_attention(module: ModuleType) -> Iterator[None]:
    """ESPnet tells everybody that a package for some GPUs is not installed."""

    def show(*values) -> None:
        if values != (NO_FLASH_ATTENTION,):
            print(*values)

    module.print = show
    yield
    del module.print


@contextmanager
def _without_downloads(module: ModuleType) -> Iterator[None]:
    """g2p_en tells how it downloads its data; what lacks them later says so itself."""
    import nltk

    download = nltk.download
    nltk.download = functools.partial(
        download, quiet=True, print_error_to=io.StringIO()
    )
    try:
        yield
    finally:
        nltk.download = download


# module -> what its import is surrounded by
QUIET = {
    "espnet.nets.pytorch_backend.transformer.attention": _without_flash_attention,
    "g2p_en.g2p": _without_downloads,
}


def quietly(module: ModuleType):
    """A context in which the code of a module runs."""
    return QUIET.get(module.__name__, nullcontext)(module)
