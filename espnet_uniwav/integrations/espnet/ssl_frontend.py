"""ESPnet2 adapter for the features of pre-training: from samples or from disk."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
from espnet2.asr.frontend.abs_frontend import AbsFrontend
from espnet2.train.collate_fn import CommonCollateFn
from torch import Tensor
from typeguard import typechecked

from espnet_uniwav.core.features import FeatureSpec, build_features, check_spec
from espnet_uniwav.core.features.neural_codec import read_codec
from espnet_uniwav.integrations.espnet.checked_data import check_data
from espnet_uniwav.integrations.espnet.extend import extend
from espnet_uniwav.integrations.espnet.frozen import FrozenFeatures
from espnet_uniwav.integrations.espnet.scaling import refuse_wrong_scaling
from espnet_uniwav.io.units import parse_rate


class UniWavFrontend(FrozenFeatures, AbsFrontend):
    """``frontend: uniwav`` of the SSL task: the frozen feature space.

    The feature spec is saved in the state dict, so that a checkpoint refuses other
    features.

    Args:
        fs: Sampling rate (Hz), also as ``16k``.
        features: Name of the feature space.
        features_conf: Its other arguments, such as ``frame_rate`` (Hz).
        extracted: Folder of ``uniwav extract``: the data are features, not samples.

    Raises:
        ValueError: If the folder holds other features.
    """

    conf_key = "frontend_conf"

    @typechecked
    def __init__(
        self,
        fs: int | str = 16000,
        features: str = "log_mel",
        features_conf: dict | None = None,
        extracted: str | Path | None = None,
    ):
        super().__init__()
        conf = {"sample_rate": parse_rate(fs), **(features_conf or {})}
        self.set_features(build_features(features, **conf), extracted)

    @staticmethod
    def adapt_task(task: type) -> None:
        """Make the SSL task save a codec's architecture, and batch features.

        Stock training batches hold only waveforms, cropped to the shortest one.

        Args:
            task: ESPnet's SSL task. A second call has no effect.
        """
        extend(task, "build_model", _build_model)
        refuse_wrong_scaling(task)
        extend(task, "build_collate_fn", _build_collate_fn)
        check_data(task)

    def get_extra_state(self) -> Tensor:
        """The spec as character codes: a float tensor survives model averaging."""
        text = json.dumps(self.features.spec.to_dict())
        return torch.tensor(list(text.encode()), dtype=torch.float32)

    def set_extra_state(self, state: Tensor) -> None:
        """Refuse a checkpoint with another feature spec."""
        text = bytes(state.round().to(torch.uint8).tolist()).decode()
        found = FeatureSpec.from_dict(json.loads(text))
        check_spec(found, self.features.spec, "checkpoint")


def _build_model(build: Callable, args: argparse.Namespace):
    """Describe the codec, then build as the task does."""
    if args.frontend == "uniwav":
        args.frontend_conf = describe_codec(args.frontend_conf)
    return build(args)


def _build_collate_fn(build: Callable, args: argparse.Namespace, train: bool):
    """Batch features on disk without cropping; anything else as the task does."""
    if args.frontend == "uniwav" and args.frontend_conf.get("extracted"):
        return CommonCollateFn(float_pad_value=0.0, int_pad_value=-1)
    return build(args, train)


def describe_codec(conf: dict) -> dict:
    """Front-end arguments, with a codec's architecture beside its folder."""
    features = conf.get("features_conf") or {}
    if "checkpoint" not in features or "architecture" in features:
        return conf
    found = read_codec(features["checkpoint"])
    found.pop("sample_rate")
    return {**conf, "features_conf": {**found, **features}}
