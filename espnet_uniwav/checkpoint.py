"""One self-contained checkpoint: a folder with weights, config and feature spec."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from espnet_uniwav.features import FeatureSpec, check_spec
from espnet_uniwav.model import UniWav

CONFIG, WEIGHTS = "config.yaml", "model.safetensors"


def save_checkpoint(
    model: nn.Module, config: dict, folder: str | Path, about: dict | None = None
) -> None:
    """Write a model to a folder.

    Args:
        model: A ``UniWav``, or what is made of one; has ``features``.
        config: Its configuration, see ``from_config`` of its class.
        folder: Made if missing.
        about: Anything worth keeping: the training configuration, steps, metrics.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {k: v.contiguous().cpu() for k, v in model.state_dict().items()}
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    content = {
        "model": config,
        "feature_spec": model.features.spec.to_dict(),
        "about": about or {},
    }
    with open(folder / CONFIG, "w", encoding="utf-8") as f:
        yaml.safe_dump(content, f, sort_keys=False, allow_unicode=True)


def read_config(folder: str | Path) -> dict:
    """The content of a checkpoint's config.yaml.

    Raises:
        FileNotFoundError: If the folder is no checkpoint.
    """
    folder = Path(folder)
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder / name} is missing: {folder} is no UniWav checkpoint. Make "
                "one of an ESPnet experiment with `uniwav export EXP FOLDER`."
            )
    with open(folder / CONFIG, encoding="utf-8") as f:
        config = yaml.safe_load(f)
    if not isinstance(config, dict) or "model" not in config:
        raise ValueError(f"{folder / CONFIG}: expected a mapping with the key 'model'")
    return config


def load_checkpoint(
    folder: str | Path, expected_spec: FeatureSpec | None = None
) -> UniWav:
    """Load a model for inference. Executes no pickle.

    Args:
        folder: Written by ``save_checkpoint``.
        expected_spec: Refuse the checkpoint unless its features are these.

    Raises:
        FileNotFoundError: If the folder is no checkpoint.
        ValueError: If a tensor is missing, extra or misshapen, or if the feature
            spec is not what the configuration or the caller says.
    """
    return load_model(folder, _build, expected_spec)


def load_model(
    folder: str | Path,
    build: Callable[[dict], nn.Module],
    expected_spec: FeatureSpec | None = None,
) -> nn.Module:
    """Load whatever is made of a UniWav and kept in the same way.

    Args:
        folder: Written by ``save_checkpoint``.
        build: Makes the model from its configuration.
        expected_spec: As of ``load_checkpoint``.

    Raises:
        FileNotFoundError, ValueError: As of ``load_checkpoint``.
    """
    folder = Path(folder)
    config = read_config(folder)
    try:
        model = build(config["model"])
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from error
    spec = FeatureSpec.from_dict(config["feature_spec"])
    check_spec(spec, model.features.spec, str(folder))
    if expected_spec is not None:
        check_spec(expected_spec, spec, str(folder))
    load_strictly(model, load_file(folder / WEIGHTS), str(folder / WEIGHTS))
    return model.eval()


def _build(config: dict) -> UniWav:
    if "vocoder" in config:
        raise ValueError("is a vocoder: name it with --vocoder")
    if "tokenizer" in config:
        raise ValueError(
            "is a speech tokenizer: load it with UniWavTokenizer.from_pretrained, or "
            "name the checkpoint that it was made of"
        )
    return UniWav.from_config(config)


def load_strictly(model: nn.Module, weights: dict[str, Tensor], where: str) -> None:
    """Load tensors, or say which ones do not fit.

    Raises:
        ValueError: Lists missing, extra and misshapen tensors.
    """
    own = model.state_dict()
    problems = [f"missing: {k}" for k in own if k not in weights]
    problems += [f"extra: {k}" for k in weights if k not in own]
    problems += [
        f"misshapen: {k}: expected {tuple(own[k].shape)}, found {tuple(v.shape)}"
        for k, v in weights.items()
        if k in own and own[k].shape != v.shape
    ]
    if problems:
        listed = "\n  ".join(problems)
        raise ValueError(f"{where} does not fit its configuration:\n  {listed}")
    model.load_state_dict(weights)
