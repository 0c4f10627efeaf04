"""One self-contained checkpoint: a folder with weights, config and feature spec."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from espnet_uniwav.cli.command import load as load_name
from espnet_uniwav.core.features import AbsFeatures, FeatureSpec, check_spec
from espnet_uniwav.core.kinds import EXPERIMENT, KINDS, check_kind
from espnet_uniwav.core.renames import rename_settings, rename_tensors, update_layout
from espnet_uniwav.io.folder import (
    FILES,
    WEIGHTS,
    find_folder,
    load_strictly,
    read_config,
    read_weights,
    write_folder,
)
from espnet_uniwav.io.hub import at_revision
from espnet_uniwav.io.input import error_context
from espnet_uniwav.io.paths import strip_local_paths


@dataclass(frozen=True)
class Checkpoint:
    """What was read of a checkpoint, but for its weights.

    Attributes:
        path: Its folder; or a model file (.pth) of an ESPnet experiment.
        kind: One of ``KINDS``.
        model: Configuration, see ``from_config`` of its class.
        spec: Its features; None: those that ``model`` describes.
        weights: Reads its tensors.
        about: Further information, see ``save_checkpoint``.
    """

    path: Path
    kind: str
    model: dict
    spec: FeatureSpec | None
    weights: Callable[[], dict[str, Tensor]]
    about: dict = field(default_factory=dict)

    def require(self, kind: str) -> None:
        """Raise a ValueError if it is of another kind, see ``check_kind``."""
        with error_context(self.path):
            check_kind(kind, self.kind)

    def file(self, name: str | Path) -> Path:
        """The file or folder of that name in the checkpoint, or the name itself."""
        copied = self.path / FILES / PurePath(name).name
        return copied if copied.exists() else Path(name)

    def build(self, model_class: type, spec: FeatureSpec | None = None) -> nn.Module:
        """Build the model with random weights; arguments and errors as of ``load``."""
        self.require(model_class.kind)
        with error_context(self.path):
            model = model_class.from_config(self.model)
        own = model.features.spec
        check_spec(self.spec or own, own, str(self.path))
        check_spec(spec or own, own, str(self.path))
        return model

    def load(self, model_class: type, spec: FeatureSpec | None = None) -> nn.Module:
        """Build the model with its weights, for inference.

        Args:
            model_class: With ``kind`` and ``from_config``.
            spec: Refuse other features.

        Raises:
            ValueError: If it is of another kind, if a tensor does not fit, see
                ``load_strictly``, or if the features are not those of the configuration
                or of the caller.
        """
        with _Uninitialised():
            model = self.build(model_class, spec)
        weights = rename_tensors(self.weights(), self.kind)
        where = self.path / WEIGHTS if self.path.is_dir() else self.path
        load_strictly(model, weights, str(where))
        return model.eval()


class _Uninitialised(TorchFunctionMode):
    """Modules are built without random weights, which saved ones replace at once."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if getattr(function, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return function(*args, **kwargs)


def read_checkpoint(
    name: str | Path, config: str | Path | None = None, revision: str | None = None
) -> Checkpoint:
    """Read what a checkpoint is; executes no pickle.

    Args:
        name: Folder or name, see ``find_folder``; or a model file (.pth) of an
            ESPnet experiment.
        config: ``config.yaml`` of such a file; None: beside it.
        revision: See ``at_revision``.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If its configuration is broken, see ``read_config``.
    """
    name = at_revision(name, revision)
    if str(name).endswith(".pth") or config is not None:
        found = load_name(EXPERIMENT)(Path(name), config)
    else:
        found = _read_folder(find_folder(name))
    with error_context(found.path):
        return replace(found, model=rename_settings(found.model))


def _read_folder(folder: Path) -> Checkpoint:
    content = read_config(folder)
    with error_context(folder):
        content = update_layout(content)
        spec = content.get("feature_spec")
        spec = None if spec is None else FeatureSpec.from_dict(spec)
    if content["kind"] not in list(KINDS):  # a list or a mapping has no hash
        raise ValueError(
            f"{folder}: expected a kind among {', '.join(KINDS)}, found "
            f"{content['kind']!r}; update espnet_uniwav, or export it again"
        )
    return Checkpoint(
        folder,
        content["kind"],
        content["model"],
        spec,
        lambda: read_weights(folder),
        content.get("about") or {},
    )


def load(name: str | Path, revision: str | None = None, **options) -> Any:
    """Load a checkpoint of any kind.

    Args:
        name: As of ``read_checkpoint``.
        revision: Of a repository OWNER/NAME on the hub: branch, tag or commit.
        **options: Of ``from_pretrained`` of its class.

    Returns:
        A ``UniWav``, ``Synthesizer``, ``UniWavTokenizer``, ``Vocoder`` or
        ``NeuralCodec``.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If it is broken; or a recogniser, which another call loads.
    """
    name = at_revision(name, revision)
    found = read_checkpoint(name, options.get("config"))
    kind = KINDS[found.kind]
    if not kind.network:
        raise ValueError(f"{found.path} is a {found.kind}: {kind.use}")
    return load_name(kind.wrapper or kind.network).from_pretrained(name, **options)


def load_checkpoint(
    folder: str | Path, expected_spec: FeatureSpec | None = None
) -> nn.Module:
    """Load a ``UniWav`` for inference; see ``read_checkpoint`` and ``Checkpoint.load``.

    Args:
        folder: Folder or name of a checkpoint.
        expected_spec: Refuse a checkpoint with other features.

    Returns:
        A ``UniWav``.
    """
    return read_checkpoint(folder).load(
        load_name(KINDS["uniwav"].network), expected_spec
    )


def read_pretrained(
    folder: str | Path, expected_spec: FeatureSpec
) -> dict[str, Tensor]:
    """Weights of a pre-trained model, by the names in a ``UniWav``.

    Args:
        folder, expected_spec: See ``load_checkpoint``.

    Raises:
        FileNotFoundError, ValueError: As of ``load_checkpoint``.
    """
    found = read_checkpoint(folder)
    found.require("uniwav")
    check_spec(expected_spec, found.spec or expected_spec, str(found.path))
    return found.weights()


def untrained_model(folder: str | Path, seed: int = 0) -> nn.Module:
    """Build a ``UniWav`` with random weights from a checkpoint's configuration.

    Args:
        folder: See ``read_checkpoint``.
        seed: Seed of the weights. Those of the feature space are the checkpoint's.
    """
    found = read_checkpoint(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = found.build(load_name(KINDS["uniwav"].network))
    own = {
        name.removeprefix("features."): tensor
        for name, tensor in rename_tensors(found.weights(), found.kind).items()
        if name.startswith("features.")
    }
    load_strictly(model.features, own, str(found.path))
    return model.eval()


def save_checkpoint(
    model: nn.Module,
    config: dict,
    folder: str | Path,
    about: dict | None = None,
    half: bool = False,
) -> None:
    """Write a model to a folder.

    Args:
        model: A ``UniWav``, or another model with ``features`` and a ``kind``.
        config: Its configuration, see ``from_config`` of its class.
        folder: Created if missing.
        about: Further information: the training configuration, steps, metrics. Paths in
            it are shortened, see ``storage.paths``.
        half: Store trained weights in fp16, at half the size. Loading returns fp32.

    Raises:
        ValueError: If a value is too large for fp16, naming its tensor.
    """
    content = {
        "kind": model.kind,
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
    content = {
        "kind": "features",
        "model": {"features": config},
        "feature_spec": spec.to_dict(),
        "about": strip_local_paths(about, folder),
    }
    write_folder(folder, features.state_dict(), content)
