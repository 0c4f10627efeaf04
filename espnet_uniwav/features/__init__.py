"""Feature spaces: wav <-> x, each with one spec that travels in every checkpoint."""

from __future__ import annotations

from espnet_uniwav.features.base import AbsFeatures, FeatureSpec, check_spec
from espnet_uniwav.features.log_mel import LogMel

FEATURES = {"log_mel": LogMel}


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


__all__ = ["AbsFeatures", "FeatureSpec", "LogMel", "build_features", "check_spec"]
