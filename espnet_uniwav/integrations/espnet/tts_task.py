"""What ESPnet2's TTS task does beside for ``tts: uniwav``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from espnet_uniwav.apps.phones.word_ends import is_marked
from espnet_uniwav.core.features import with_weights
from espnet_uniwav.integrations.espnet.checked_data import check_data
from espnet_uniwav.integrations.espnet.distillation import (
    build_optimizers,
    describe_student,
)
from espnet_uniwav.integrations.espnet.extend import extend
from espnet_uniwav.integrations.espnet.pretrained import (
    StartsFromCheckpoint,
    read_architecture,
)
from espnet_uniwav.integrations.espnet.scaling import refuse_wrong_scaling
from espnet_uniwav.integrations.espnet.tts_features import check_vocoder
from espnet_uniwav.io.input import read_lines

KEY, PARTS = "tts_conf", ("features", "encoder", "decoder", "kept_frames")


def adapt_task(task: type) -> None:
    """Make a task save our architecture, and refuse vocoders that do not fit.

    Args:
        task: ESPnet's TTS task. A second call has no effect.
    """
    extend(task, "build_model", _build_model)
    refuse_wrong_scaling(task)
    check_data(task)
    extend(task, "build_optimizers", build_optimizers)
    extend(task, "build_optimizers", _build_optimizers)
    extend(task, "build_vocoder_from_file", _build_vocoder)


def _is_ours(model) -> bool:
    return isinstance(getattr(model, "tts", None), StartsFromCheckpoint)


def _build_model(build: Callable, args: argparse.Namespace):
    """Describe architecture and features, then build as the task does."""
    if args.tts == "uniwav":
        _describe(args)
    return build(args)


def _build_optimizers(build: Callable, args: argparse.Namespace, model):
    """Check the vocoder at the start of a training, then build as the task does."""
    if _is_ours(model):
        model.tts.check_vocoder()
    return build(args, model)


def _build_vocoder(
    build: Callable, config_file=None, file=None, model=None, device: str = "cpu"
):
    """Check that a vocoder fits our features, then build as the task does."""
    if file is not None and _is_ours(model):
        path = config_file or Path(file).with_name("config.yml")
        check_vocoder(path, model.tts.synthesizer.uniwav.features.spec)
    return build(config_file, file, model, device)


def _describe(args: argparse.Namespace) -> None:
    """Write architecture and features to the arguments, which ESPnet saves."""
    for key, expected in (("feats_extract", "uniwav"), ("normalize", None)):
        if getattr(args, key) != expected:
            raise ValueError(
                f"tts: uniwav brings its own features: set {key}: "
                f"{expected or 'null'}, found {getattr(args, key)}"
            )
    if args.tts_conf.get("distil") is not None:
        args.tts_conf = describe_student(args.tts_conf)
    conf = args.tts_conf
    tokens = args.token_list
    if isinstance(tokens, str):
        tokens = read_lines(Path(tokens))
    if any(map(is_marked, tokens)):
        conf = args.tts_conf = {**conf, "token_list": list(tokens)}
    if conf.get("architecture") is None:
        architecture = read_architecture(conf.get("checkpoint"), PARTS, KEY)
        args.tts_conf = {**conf, "architecture": architecture}
    features = args.tts_conf["architecture"]["features"]
    found = with_weights(features, conf.get("checkpoint"))
    if (folder := args.feats_extract_conf.get("extracted")) is not None:
        found["extracted"] = folder
    args.feats_extract_conf = found
