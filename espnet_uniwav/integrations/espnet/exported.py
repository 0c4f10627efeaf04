"""Folders of ``uniwav export`` in ESPnet2's inference classes and model zoo.

``meta.yaml`` names the two files of a folder by the arguments of the class. A task
builds from them as from a training's ``config.yaml`` and ``.pth``; no pickle is read.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path

import yaml
from torch import nn

from espnet_uniwav.cli.command import load as load_name
from espnet_uniwav.core.checkpoint import Checkpoint, read_checkpoint
from espnet_uniwav.core.features import with_weights
from espnet_uniwav.core.kinds import KINDS
from espnet_uniwav.integrations.espnet.extend import extend
from espnet_uniwav.integrations.espnet.recogniser import load_model
from espnet_uniwav.io.folder import CONFIG, WEIGHTS
from espnet_uniwav.io.output import write_text

META = "meta.yaml"
# Kind -> prefix of the arguments of the inference class, as of espnet2.bin.pack.
PREFIXES = {"recogniser": "asr_", "synthesiser": "", "tokenizer": "", "uniwav": "ssl_"}
# Task -> the kind that it builds.
TASKS = {"ASRTask": "recogniser", "TTSTask": "synthesiser", "GANCodecTask": "tokenizer"}

Built = tuple[nn.Module, argparse.Namespace]


def write_meta(folder: str | Path) -> None:
    """Write meta.yaml into a checkpoint, if it is of a kind that ESPnet2 can use."""
    prefix = PREFIXES.get(read_checkpoint(folder).kind)
    if prefix is None:
        return
    meta = {
        "files": {f"{prefix}model_file": WEIGHTS},
        "yaml_files": {f"{prefix}train_config": CONFIG},
    }
    write_text(Path(folder) / META, yaml.safe_dump(meta))


def take_exported(module) -> None:
    """Extend the tasks of ``espnet2.tasks.abs_task``."""
    extend(module.AbsTask, "build_model_from_file", _build_from_file)


def _build_from_file(
    build: Callable, config_file=None, model_file=None, device: str = "cpu"
) -> Built:
    """Build an exported model, or what the task builds of a training's files."""
    if model_file is None or Path(model_file).name != WEIGHTS:
        return build(config_file, model_file, device)
    (task,) = build.args
    found = read_checkpoint(Path(model_file).parent)
    if TASKS.get(task.__name__) != found.kind:
        raise ValueError(
            f"{model_file}: {task.__name__} cannot build a {found.kind}: "
            f"{KINDS[found.kind].use}"
        )
    if found.kind == "recogniser":
        return load_model(found.path, device=device)[:2]
    settings = {"synthesiser": _tts_settings, "tokenizer": _codec_settings}[found.kind]
    args = task.get_parser().parse_args([])
    vars(args).update(settings(found))
    model = task.build_model(args)
    if found.kind == "synthesiser":
        model.tts.synthesizer = found.load(load_name(KINDS[found.kind].network))
    return model.to(device), args


def _codec_settings(found: Checkpoint) -> dict:
    """Settings of the GAN codec task for a tokenizer."""
    return {"codec": "uniwav", "codec_conf": {"checkpoint": str(found.path)}}


def _tts_settings(found: Checkpoint) -> dict:
    """Settings of the TTS task for a synthesiser, see ``synthesiser_config``."""
    model = deepcopy(found.model)
    network, speaking = model.pop("synthesiser"), model.pop("speaking")
    for part, key in named_files(speaking):
        part[key] = str(found.file(part[key]))
    text = speaking.pop("text", None) or {"token_type": "phn", "g2p_type": None}
    model["features"] = with_weights(model["features"], str(found.path))
    return {
        "token_list": network.pop("token_list"),
        "g2p": text.pop("g2p_type"),
        **text,
        "tts": "uniwav",
        "tts_conf": {"architecture": model, **network, **speaking},
        "feats_extract": "uniwav",
        "normalize": None,
    }


def named_files(speaking: dict) -> Iterator[tuple[dict, str]]:
    """Where a synthesiser names a file or folder: a mapping, and the key in it."""
    text = speaking.get("text") or {}
    for part, keys in (
        (speaking, ("voice", "vocoder")),
        (text, ("bpemodel", "non_linguistic_symbols")),
    ):
        yield from ((part, key) for key in keys if part.get(key))
