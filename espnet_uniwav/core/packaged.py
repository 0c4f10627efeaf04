"""The packaged models: a list, and the card or folder of one."""

from __future__ import annotations

from pathlib import Path

from espnet_uniwav.core.card import read_card
from espnet_uniwav.core.checkpoint import read_checkpoint
from espnet_uniwav.io.folder import (
    BASE,
    find_folder,
    packaged_models,
    read_config,
    read_weights,
)


def models(name: str | None = None, folder: bool = False) -> str:
    """List the models, or return a card or folder.

    Args:
        name: Print the card of this model or folder.
        folder: Print the checkpoint's folder instead; also for OWNER/NAME on the hub.

    Raises:
        ValueError, OSError: Naming the model and what to do.
    """
    if folder and not name:
        raise ValueError("--folder needs the name of a checkpoint")
    if name is None:
        found = sorted(packaged_models().items())
        lines = [f"{name}: {describe(path)}" for name, path in found]
        return "\n".join(lines) or "this package comes without models"
    path = find_folder(name)
    read_config(path)
    return str(path.resolve()) if folder else read_card(path)[1].rstrip()


def describe(folder: Path) -> str:
    """Kind, parameters (with buffers), size, training data and licence, in one line.

    Raises:
        ValueError, OSError: If the folder is no checkpoint with a card.
    """
    found, (head, _) = read_checkpoint(folder), read_card(folder)
    number = sum(tensor.numel() for tensor in read_weights(folder).values()) / 1e6
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    codec = (found.model.get("vocoder", {}).get("latents") or {}).get("name")
    base = (read_config(folder).get(BASE) or {}).get("checkpoint")
    return (
        f"{found.kind}, {number:.1f} M parameters, {size:.1f} MB"
        f"{f' and weights of {base}' if base else ''}"
        f"{f' and the codec {codec}' if codec else ''}, trained on "
        f"{head.get('trained_on', 'unknown data')}; {head.get('license', 'no licence')}"
    )
