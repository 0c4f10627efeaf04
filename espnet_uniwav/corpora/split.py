"""Random draws that are the same on every machine."""

from __future__ import annotations

import hashlib


def hash_share(name: str) -> float:
    """Map a name to a pseudo-random number in [0, 1) that never changes."""
    digest = hashlib.sha256(name.encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
