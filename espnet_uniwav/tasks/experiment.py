"""An ESPnet experiment of the SSL task -> a UniWav model."""

from __future__ import annotations

from pathlib import Path

import torch
import yaml
from torch import Tensor

from espnet_uniwav.checkpoint import load_strictly, save_checkpoint
from espnet_uniwav.model import UniWav
from espnet_uniwav.tasks.pretrained import parse_rate

# Parts of the training model that only training needs.
TRAINING_ONLY = ("teacher.", "codebooks.", "heads.", "usage", "low_epochs")


def export_experiment(
    experiment: str | Path, folder: str | Path, model_file: str = "latest.pth"
) -> UniWav:
    """Turn an experiment into a checkpoint folder.

    Args:
        experiment: ESPnet's output_dir, with config.yaml.
        folder: The checkpoint to write.
        model_file: Which saved model: a name inside the experiment.

    Returns:
        The exported model.

    Raises:
        FileNotFoundError: If the experiment has no such file.
        ValueError: If it is no UniWav experiment, or a tensor is missing or extra.
    """
    experiment = Path(experiment)
    args = _read(experiment / "config.yaml")
    if args.get("model") != "uniwav":
        raise ValueError(
            f"{experiment / 'config.yaml'}: expected model: uniwav, found model: "
            f"{args.get('model')}"
        )
    path = experiment / model_file
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: name a saved model with --model_file, such as "
            "latest.pth or 10epoch.pth"
        )
    state = torch.load(path, map_location="cpu", weights_only=True)
    config = model_config(args)
    model = UniWav.from_config(config)
    weights = model_weights(state.get("model", state), args["loss"])
    load_strictly(model, weights, str(path))
    about = {"experiment": str(experiment), "model_file": path.resolve().name}
    updates = state.get("model", state).get("global_step")
    about["updates"] = int(updates) if updates is not None else None
    about["training"] = args
    save_checkpoint(model, config, folder, about)
    return model


def model_config(args: dict) -> dict:
    """ESPnet's arguments of the SSL task -> configuration of ``UniWav``."""
    frontend = args.get("frontend_conf") or {}
    fs = frontend.get("fs", 16000)
    losses = {loss["name"]: loss.get("conf") or {} for loss in args["loss"]}
    config = {
        "features": {
            "name": frontend.get("features", "log_mel"),
            "sample_rate": parse_rate(fs),
            **(frontend.get("features_conf") or {}),
        },
        "encoder": dict(args.get("encoder_conf") or {}),
        "decoder": None,
    }
    if "flow_matching" in losses:
        conf = losses["flow_matching"]
        config["decoder"] = dict(conf.get("decoder") or {})
        config["kept_frames"] = conf.get("kept_frames", "data")
    return config


def model_weights(state: dict[str, Tensor], losses: list[dict]) -> dict[str, Tensor]:
    """Names of the training model -> names of ``UniWav``; training parts left out."""
    prefixes = {"encoder.encoder.": "encoder."}
    for i, loss in enumerate(losses):
        prefixes[f"losses.{i}.objective."] = ""
    weights = {}
    for key, value in state.items():
        prefix = next((p for p in prefixes if key.startswith(p)), None)
        if prefix is None:
            continue
        name = key[len(prefix) :]
        if prefix == "encoder.encoder." or not name.startswith(TRAINING_ONLY):
            weights[prefixes[prefix] + name] = value
    return weights


def _read(path: Path) -> dict:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: name an ESPnet output_dir")
    with open(path, encoding="utf-8") as f:
        return yaml.safe_load(f)
