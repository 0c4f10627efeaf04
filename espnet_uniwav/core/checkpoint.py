"""One self-contained checkpoint: a folder with weights, config and feature spec."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from espnet_uniwav.core.features import AbsFeatures, FeatureSpec, check_spec
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.io.folder import (
    find_folder,
    load_weights,
    read_config,
    read_weights,
    write_folder,
)
from espnet_uniwav.io.input import error_context
from espnet_uniwav.io.paths import strip_local_paths


def save_checkpoint(
    model: nn.Module,
    config: dict,
    folder: str | Path,
    about: dict | None = None,
    half: bool = False,
) -> None:
    """Write a model to a folder.

    Args:
        model: A ``UniWav``, or a model derived from one, with ``features``.
        config: Its configuration, see ``from_config`` of its class.
        folder: Created if missing.
        about: Further information: the training configuration, steps, metrics. Paths in
            it are shortened, see ``storage.paths``.
        half: Store trained weights in fp16, at half the size. Loading returns fp32.

    Raises:
        ValueError: If a value is too large for fp16, naming its tensor.
    """
    content = {
        "model": config,
        "feature_spec": model.features.spec.to_dict(),
        "about": strip_local_paths(about or {}, folder),
    }
    weights = halved(model) if half else model.state_dict()
    write_folder(folder, weights, content)


def halved(model: nn.Module) -> dict[str, Tensor]:
    """Weights with parameters in fp16, except buffers and feature spaces.

    Raises:
        ValueError: As of ``save_checkpoint``.
    """
    weights = model.state_dict()
    spaces = [part for part in model.modules() if isinstance(part, AbsFeatures)]
    kept = {id(value) for space in spaces for value in space.parameters()}
    for name, parameter in model.named_parameters():
        if id(parameter) in kept:
            continue
        weights[name] = parameter.detach().half()
        if not weights[name].isfinite().all():
            raise ValueError(
                f"{name}: expected values that fp16 can hold (up to 65504), found "
                f"{parameter.abs().max().item():g}; export it without --half"
            )
    return weights


def save_features(features: AbsFeatures, folder: str | Path, about: dict) -> None:
    """Write a feature space that has weights, for ``features_conf: {checkpoint: }``."""
    spec = features.spec
    config = {
        "name": spec.name,
        "sample_rate": spec.sample_rate,
        **spec.conf,
        "mean": list(spec.mean),
        "std": list(spec.std),
    }
    content = {"model": {"features": config}, "feature_spec": spec.to_dict()}
    write_folder(
        folder,
        features.state_dict(),
        {**content, "about": strip_local_paths(about, folder)},
    )


def load_checkpoint(
    folder: str | Path, expected_spec: FeatureSpec | None = None
) -> UniWav:
    """Load a model for inference. Executes no pickle.

    Args:
        folder: Folder or name of a checkpoint, see ``storage.find_folder``.
        expected_spec: Refuse a checkpoint with other features.

    Raises:
        FileNotFoundError: If the folder is no checkpoint.
        ValueError: If a tensor does not fit, see ``storage.load_strictly``, or if the
            feature spec is not that of the configuration or of the caller.
    """
    return load_model(folder, _build, expected_spec)


def load_model(
    folder: str | Path,
    build: Callable[[dict], nn.Module],
    expected_spec: FeatureSpec | None = None,
) -> nn.Module:
    """Load any model that is stored like a ``UniWav``.

    Args:
        folder: See ``load_checkpoint``.
        build: Builds the model from its configuration.
        expected_spec: See ``load_checkpoint``.

    Raises:
        FileNotFoundError, ValueError: As of ``load_checkpoint``.
    """
    folder = find_folder(folder)
    config = read_config(folder)
    with error_context(folder):
        model = build(config["model"])
        spec = FeatureSpec.from_dict(config["feature_spec"])
    check_spec(spec, model.features.spec, str(folder))
    if expected_spec is not None:
        check_spec(expected_spec, spec, str(folder))
    load_weights(model, folder)
    return model.eval()


def read_pretrained(
    folder: str | Path, expected_spec: FeatureSpec
) -> dict[str, Tensor]:
    """Weights of a pre-trained model, by the names in a ``UniWav``.

    Args:
        folder, expected_spec: See ``load_checkpoint``.

    Raises:
        FileNotFoundError, ValueError: As of ``load_checkpoint``.
    """
    folder = find_folder(folder)
    config = read_config(folder)
    with error_context(folder):
        require_pretrained(config["model"])
        spec = FeatureSpec.from_dict(config["feature_spec"])
    check_spec(expected_spec, spec, str(folder))
    return read_weights(folder)


def untrained_model(folder: str | Path, seed: int = 0) -> UniWav:
    """Build a model with random weights from a checkpoint's configuration.

    Args:
        folder: See ``load_checkpoint``.
        seed: Seed of the weights. Those of the feature space are the checkpoint's.
    """
    folder = find_folder(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        with error_context(folder):
            model = _build(read_config(folder)["model"])
    load_weights(model.features, folder, ("features.",))
    return model.eval()


def require_pretrained(config: dict) -> None:
    """Refuse a model of another kind.

    Args:
        config: The ``model`` part of a checkpoint's config.yaml.

    Raises:
        ValueError: Saying what it is, and where to name it.
    """
    if kind := next((kind for kind in ("tts", "asr") if kind in config), None):
        raise ValueError(
            f"is a fine-tuned {kind.upper()} model: name it with --model of "
            f"`uniwav {'tts' if kind == 'tts' else 'align'}`"
        )
    if "vocoder" in config:
        raise ValueError("is a vocoder: name it with --vocoder")
    if "encoder" not in config:
        raise ValueError(
            "is a feature space: name it in features_conf: {checkpoint: FOLDER}"
        )
    if "tokenizer" in config:
        raise ValueError(
            "is a speech tokenizer: load it with UniWavTokenizer.from_pretrained, or "
            "name the checkpoint that it was made of"
        )


def _build(config: dict) -> UniWav:
    require_pretrained(config)
    return UniWav.from_config(config)
