"""Feature spaces: wav <-> x, each with one spec that is saved in every checkpoint."""

from __future__ import annotations

from espnet_uniwav.core.features.base import AbsFeatures, FeatureSpec, check_spec
from espnet_uniwav.core.features.log_mel import LogMel
from espnet_uniwav.core.features.lyra import Lyra
from espnet_uniwav.core.features.neural_codec import NeuralCodec

FEATURES = {"log_mel": LogMel, "lyra": Lyra, "neural_codec": NeuralCodec}


def build_features(name: str = "log_mel", **conf) -> AbsFeatures:
    """Build a feature space by its name.

    Args:
        name: One of ``FEATURES``.
        **conf: Constructor arguments of that class.

    Raises:
        ValueError: If the name is unknown.
    """
    if name not in FEATURES:
        raise ValueError(f"unknown features {name!r}: choose from {sorted(FEATURES)}")
    return FEATURES[name](**conf)


def without_local(conf: dict) -> dict:
    """Name and arguments of features without those that name folders of a machine."""
    features = FEATURES.get(conf.get("name"), AbsFeatures)
    return {k: v for k, v in conf.items() if k not in features.local_arguments}


def with_weights(conf: dict, checkpoint: str | None) -> dict:
    """Add the folder with their weights, if they have any, to a features configuration.

    Args:
        conf: Name and arguments of the features, from a checkpoint's configuration.
        checkpoint: Folder of that checkpoint.
    """
    if checkpoint is None or not FEATURES[conf["name"]].has_checkpoint:
        return dict(conf)
    return {**conf, "checkpoint": checkpoint}


__all__ = [
    "AbsFeatures",
    "FeatureSpec",
    "LogMel",
    "Lyra",
    "NeuralCodec",
    "build_features",
    "check_spec",
    "with_weights",
    "without_local",
]
