"""Our checkpoint folders in fairseq2: asset cards, paths and names of tensors."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import yaml
from fairseq2.models import ModelHubAccessor

from espnet_uniwav.core.checkpoint import read_checkpoint
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.core.pretraining import OBJECTIVES, model_prefixes
from espnet_uniwav.integrations.fairseq2.config import UniWavConfig
from espnet_uniwav.io.folder import (
    BASE,
    WEIGHTS,
    find_folder,
    packaged_models,
    read_config,
)
from espnet_uniwav.io.output import write_text

FAMILY = "uniwav"

get_uniwav_hub = ModelHubAccessor(FAMILY, UniWav, UniWavConfig)


def create_uniwav(config: UniWavConfig) -> UniWav:
    """An untrained model."""
    return UniWav.from_config(asdict(config))


def load_folder(folder: str | Path, **options) -> UniWav:
    """Load a checkpoint folder through fairseq2.

    Args:
        folder: Folder or name, see ``storage.find_folder``.
        **options: Of ``ModelHub.load_custom_model``, such as ``device``.

    Raises:
        FileNotFoundError: If the folder is no checkpoint.
        ValueError: If it holds no pre-trained encoder.
    """
    config = UniWavConfig(**_model_config(folder))
    path = find_folder(folder) / WEIGHTS
    return get_uniwav_hub().load_custom_model(path, config, **options)


def asset_card(folder: str | Path, name: str) -> dict:
    """Asset card of a checkpoint folder, by which fairseq2 loads it under a name.

    Raises:
        FileNotFoundError, ValueError: As of ``load_folder``.
    """
    return {
        "name": name,
        "model_family": FAMILY,
        "model_config": _model_config(folder),
        "checkpoint": str(find_folder(folder).resolve() / WEIGHTS),
    }


def write_asset_card(folder: str | Path, name: str, path: str | Path) -> None:
    """Write an ``asset_card`` for a folder of cards (FAIRSEQ2_USER_ASSET_DIR)."""
    write_text(Path(path), yaml.safe_dump(asset_card(folder, name), sort_keys=False))


def packaged_cards() -> list[dict]:
    """Cards of the models that come with the package: ``uniwav_small`` and others."""
    return [
        asset_card(folder, f"{FAMILY}_{name}")
        for name, folder in sorted(packaged_models().items())
        if read_checkpoint(folder).kind == UniWav.kind
    ]


def _model_config(folder: str | Path) -> dict:
    found = read_checkpoint(folder)
    if found.kind != UniWav.kind:
        raise ValueError(
            f"{folder} is a {found.kind}: the fairseq2 family {FAMILY} expects a "
            "pre-trained encoder; use `uniwav` or espnet_uniwav's own Python interface"
        )
    if BASE in read_config(folder):
        raise ValueError(
            f"{folder} shares weights with another checkpoint: fairseq2 reads a single "
            "file; export it again without --base"
        )
    return found.model


def convert_state_dict(
    state_dict: dict[str, object], config: UniWavConfig
) -> dict[str, object]:
    """Tensors of a folder unchanged, those of a pre-training by their new names."""
    if not any(name.partition(".")[0] in OBJECTIVES for name in state_dict):
        return state_dict
    prefixes = model_prefixes(OBJECTIVES)
    return {
        new + name.removeprefix(old): value
        for name, value in state_dict.items()
        for old, new in prefixes.items()
        if name.startswith(old)
    }
