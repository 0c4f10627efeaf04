"""Bounds of numbers from the command line, configurations and checkpoints.

This module imports nothing heavy: ``command`` derives option types from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

# Name -> type, least, greatest. Options of the commands, and settings of ``Sampling``.
NUMBERS = {
    "num_steps": (int, 1, 1000),
    "guidance_scale": (float, 0, 100),
    "temperature": (float, 0, 10),
    "seed": (int, 0, 2**32 - 1),
    "speed": (float, 0.1, 10),
    "seconds": (float, 0.01, 3600),
    "max_seconds": (float, 0.1, 3600),
    "port": (int, 1, 65535),
    "max_characters": (int, 1, 10**6),
    "max_waiting": (int, 0, 10**6),
    "context": (float, 0, 3600),
    "num_workers": (int, 0, 1024),
    "num_utterances": (int, 1, 10**9),
    "num_fit_utterances": (int, 1, 10**9),
    "shard_size": (int, 1, 10**6),
    "num_codebooks": (int, 0, 64),
    "codebook_size": (int, 1, 65536),
    "num_axes": (int, 1, 65536),
    "max_frames": (int, 1, 10**9),
    "mask_share": (float, 0.01, 0.99),
    "mask_span": (float, 0.01, 60),
    "clusters": (int, 1, 10**6),
    "runs": (int, 1, 1000),
    "players": (int, 0, 1000),
    "frame_rate": (float, 1, 1000),
    "layer_decay": (float, 0.01, 1),
}
# The same for the model part of a checkpoint's config.yaml.
SIZES = {
    "num_layers": (int, 0, 256),
    "text_layers": (int, 0, 256),
    "duration_layers": (int, 0, 256),
    "duration_dim": (int, 8, 8192),
    "embed_dim": (int, 1, 32768),
    "dim": (int, 1, 32768),
    "ffn_dim": (int, 1, 131072),
    "num_heads": (int, 1, 1024),
    "num_mels": (int, 1, 4096),
    "fft_size": (int, 16, 65536),
    "sample_rate": (int, 1000, 768000),
    "sampling_rate": (int, 1000, 768000),
    "frame_rate": (float, 1, 10000),
    "num_codebooks": (int, 0, 64),
    "codebook_size": (int, 1, 65536),
    "num_axes": (int, 1, 65536),
    "griffin_lim_iterations": (int, 0, 1000),
}


def check_number(name: str, value, bounds=NUMBERS) -> None:
    """Refuse a number that is out of bounds.

    Args:
        name: A key of ``bounds``.
        value: Value of any type.
        bounds: ``NUMBERS`` or ``SIZES``.

    Raises:
        ValueError: Naming bounds and value.
    """
    kind, low, high = bounds[name]
    kinds = (int,) if kind is int else (int, float)
    known = isinstance(value, kinds) and not isinstance(value, bool)
    if not (known and math.isfinite(value) and low <= value <= high):
        raise ValueError(
            f"{name}: expected {_words(kind)} from {low:g} to {high:.10g}, found "
            f"{value!r}"
        )


def check_sizes(config, where: str) -> None:
    """Refuse implausible sizes in a configuration, at any depth.

    Args:
        config: Mappings, lists and values, as read from yaml.
        where: Start of the error message.

    Raises:
        ValueError: Naming the key, its bounds and its value.
    """
    for part in _mappings(config):
        for key, value in part.items():
            if key not in SIZES or value is None or isinstance(value, (dict, list)):
                continue
            try:
                check_number(key, value, SIZES)
            except ValueError as error:
                raise ValueError(f"{where}: {error}; fix it") from None


def check_weights(config, num_bytes: int, where: str) -> None:
    """Refuse transformers that are larger than the file of their weights.

    Args:
        config: Configuration that ``check_sizes`` has accepted.
        num_bytes: Size of the file. A layer has 4 D^2 and 2 D F weights, of two bytes
            each or more.
        where: Start of the error message.

    Raises:
        ValueError: Naming both sizes.
    """
    for part in _mappings(config):
        sizes = (part.get(key) for key in ("num_layers", "embed_dim", "ffn_dim"))
        layers, width, ffn = (n if isinstance(n, int) else 1 for n in sizes)
        wanted = 2 * layers * width * max(width, ffn)
        if wanted > num_bytes:
            raise ValueError(
                f"{where}: {layers} layers of width {width} need {wanted} bytes or "
                f"more, the file of the weights has {num_bytes}; fix it"
            )


def _mappings(config) -> Iterator[dict]:
    """All mappings of a configuration, each once, however often yaml refers to it."""
    todo, seen = [config], set()
    while todo:
        part = todo.pop()
        if id(part) in seen or not isinstance(part, (dict, list)):
            continue
        seen.add(id(part))
        todo += part.values() if isinstance(part, dict) else part
        if isinstance(part, dict):
            yield part


def _words(kind: type) -> str:
    return "a whole number" if kind is int else "a number"
