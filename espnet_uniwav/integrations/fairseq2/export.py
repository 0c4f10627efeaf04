"""Save a step of the recipe as a checkpoint folder.

Reads what fairseq2's trainer saved, whole or in the shards of FSDP, and writes
config.yaml and model.safetensors, which all commands of `uniwav` take.

examples:
  python -m espnet_uniwav.integrations.fairseq2.export exp/checkpoints/step_560 OUT
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from espnet_uniwav.cli.command import run_script
from espnet_uniwav.core.checkpoint import save_checkpoint
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.integrations.fairseq2.checkpoint import (
    convert_state_dict,
    create_uniwav,
)
from espnet_uniwav.integrations.fairseq2.config import UniWavConfig
from espnet_uniwav.integrations.fairseq2.pretraining import PRETRAINING
from espnet_uniwav.io.folder import load_strictly
from espnet_uniwav.io.input import read_yaml
from espnet_uniwav.io.output import check_output
from espnet_uniwav.io.saved import read_saved

SHARDS = "model/pp_00/tp_00"
COPY = "copy the shards of all processes there"


def load_step(folder: str | Path) -> tuple[UniWav, UniWavConfig]:
    """Load a step that the trainer saved.

    Args:
        folder: ``step_N``, beside the model.yaml that the recipe wrote.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If shards are missing or damaged, or do not fit model.yaml.
    """
    folder = Path(folder)
    config = _read_config(folder.parent / "model.yaml")
    model = create_uniwav(config)
    shards = [
        convert_state_dict(read_saved(path), config)
        for path in _shard_files(folder / SHARDS)
    ]
    own = model.state_dict()
    weights = {
        name: _join([shard[name] for shard in shards], own.get(name), name, folder)
        for name in shards[0]
    }
    load_strictly(model, weights, str(folder))
    return model, config


def _read_config(path: Path) -> UniWavConfig:
    """The part of the pre-training's configuration that its model needs."""
    card = read_yaml(path)
    if (family := card.get("model_family")) != PRETRAINING:
        raise ValueError(
            f"{path}: expected a model of the family {PRETRAINING}, found {family}"
        )
    conf = card["model_config"]
    return UniWavConfig(**{name: conf[name] for name in vars(UniWavConfig())})


def _shard_files(folder: Path) -> list[Path]:
    """Files of all processes, in their order; one if nothing is sharded."""
    number = len(list(folder.glob("sdp_*.pt")))
    files = [folder / f"sdp_{rank:02}.pt" for rank in range(max(number, 1))]
    for path in files:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file; {COPY}")
    return files


def _join(parts: list[Tensor], own: Tensor | None, name: str, folder: Path) -> Tensor:
    """A whole tensor.

    Args:
        parts: Of the first dimension; or the whole, if it is not sharded.
        own: Of the model; None if it has none.
        name: Of the tensor.
        folder: Of the step.
    """
    if own is None or parts[0].shape == own.shape:
        return parts[0]
    whole = torch.cat(parts)
    if len(whole) < len(own):
        raise ValueError(
            f"{folder / SHARDS}: expected {len(own)} rows of {name}, found "
            f"{len(whole)} in {len(parts)} shards sdp_*.pt; {COPY}"
        )
    return whole


def export(step: Path, folder: str) -> str:
    """Load the step and save its model.

    Args:
        step: Folder step_N among the recipe's checkpoints.
        folder: Checkpoint to write.
    """
    check_output(folder, folder=True)
    model, config = load_step(step)
    saved = step.resolve()
    about = {"experiment": saved.parents[1].name, "model_file": saved.name}
    save_checkpoint(model, vars(config), folder, about)
    number = sum(p.numel() for p in model.parameters())
    return f"{folder}: {number / 1e6:.1f} M parameters"


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(export, "step folder", argv)


if __name__ == "__main__":
    main()
