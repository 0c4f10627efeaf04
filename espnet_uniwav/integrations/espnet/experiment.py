"""ESPnet experiments as checkpoints: what they hold, and their export to a folder."""

from __future__ import annotations

import inspect
from pathlib import Path

from torch import Tensor, nn

from espnet_uniwav.apps.vocoder import find_vocoder
from espnet_uniwav.cli.command import load as load_name
from espnet_uniwav.core.card import CARD, write_card
from espnet_uniwav.core.checkpoint import Checkpoint, read_checkpoint, save_checkpoint
from espnet_uniwav.core.features import without_local
from espnet_uniwav.core.kinds import KINDS
from espnet_uniwav.core.pretraining import OBJECTIVES, model_config, model_prefixes
from espnet_uniwav.integrations.espnet.exported import (
    META,
    named_files,
    write_meta,
)
from espnet_uniwav.integrations.espnet.recogniser import (
    check_tokens,
    export_recogniser,
)
from espnet_uniwav.integrations.espnet.text_tokenizer import describe_text
from espnet_uniwav.io import hub
from espnet_uniwav.io.folder import CONFIG, SHARED, copy_file, share_weights
from espnet_uniwav.io.input import error_context, read_yaml
from espnet_uniwav.io.output import check_output
from espnet_uniwav.io.paths import strip_local_paths
from espnet_uniwav.io.saved import read_state
from espnet_uniwav.io.units import parse_rate

VOCODERS = ("uniwav_vocoder", "uniwav_flow_vocoder")
FEATURES = {"frontend.features.": "features."}
# Keys of tts_conf that only training and stock inference need, and those of speaking.
TTS_TRAINING = {
    "architecture",
    "checkpoint",
    "bf16",
    "seed",
    "distil",
    "durations_only",
    "token_list",
}
SPEAKING = (
    "num_steps",
    "method",
    "guidance_scale",
    "temperature",
    "speed",
    "voice",
    "voice_text",
    "vocoder",
)


def export(
    experiment: str,
    folder: str | None = None,
    model_file: str = "latest.pth",
    onnx: str | None = None,
    half: bool = False,
    whole: bool = False,
    data: str | None = None,
    licence: str | None = None,
    language: str = "en",
    metrics: Path | None = None,
    limits: Path | None = None,
    name: str | None = None,
    push: str | None = None,
    base: str | None = None,
) -> str:
    """Export an experiment, and write its card if data and licence are given.

    Args:
        experiment: ESPnet's output_dir; with ``onnx`` a checkpoint.
        folder: Checkpoint to write.
        model_file: Saved model in the experiment.
        onnx: Folder of ONNX graphs to write, instead of a checkpoint.
        half: Fp16: half the size; loaded as fp32.
        whole: Export a recogniser with its tokens, for ``uniwav align --model``,
            instead of only its encoder.
        data: Training data, for the model card; or a markdown file: the training data
            in one paragraph, then a table of corpora with hours, licence and source.
        licence: Licence of the weights, such as cc-by-4.0.
        language: Language code.
        metrics: Markdown file, such as scores.md.
        limits: Markdown file: further limits.
        name: On the hub: OWNER/NAME.
        push: Upload it to this repository of the hub, OWNER/NAME, made if missing;
            needs data, licence and a token of the hub.
        base: Checkpoint, such as small, whose weights are not stored again.

    Returns:
        What was done, in one line.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    _check_options(locals())
    if onnx:
        from espnet_uniwav.apps.onnx import export_onnx

        return export_onnx(experiment, onnx)
    about = dict(language=language, metrics=_text(metrics), limits=_text(limits))
    model = export_experiment(experiment, folder, model_file, half, whole)
    if base:
        share_weights(folder, base)
    write_meta(folder)
    if data:
        data = _text(Path(data)) if data.endswith(".md") else data
        write_card(folder, data, licence, name=name or push, **about)
    number = sum(p.numel() for p in model.parameters())
    said = f"{folder}: {number / 1e6:.1f} M parameters"
    return f"{said}; pushed: {_push(folder, push)}" if push else said


def _check_options(given: dict) -> None:
    """Refuse options of ``export`` that do not go together, before it works.

    Raises:
        ValueError: Naming them.
        OSError: If there is no right to push.
    """
    folder, onnx, data, name = (given[k] for k in ("folder", "onnx", "data", "push"))
    if (folder is None) == (onnx is None):
        raise ValueError("expected one folder to write, OUT or --onnx OUT")
    usual = inspect.signature(export).parameters
    others = [key for key in given if given[key] != usual[key].default]
    extra = [f"--{key}" for key in others if key not in ("experiment", "onnx")]
    if onnx and extra:
        raise ValueError(f"--onnx takes no other option, found {', '.join(extra)}")
    if bool(data) != bool(given["licence"]):
        raise ValueError("a model card needs both --data and --licence")
    if name and not data:
        raise ValueError("--push needs a model card: give --data and --licence")
    if name:
        hub.check_push(name)


def _push(folder: str, name: str) -> str:
    """Upload what a checkpoint shares; its address."""
    return hub.push(folder, name, [*SHARED, CARD, META])


def _text(path: Path | None) -> str:
    return path.read_text(encoding="utf-8") if path else ""


def export_experiment(
    experiment: str | Path,
    folder: str | Path,
    model_file: str = "latest.pth",
    half: bool = False,
    whole: bool = False,
) -> nn.Module:
    """Export an experiment to a checkpoint folder.

    Pre-training is exported as a ``UniWav``; synthesisers, tokenizers and vocoders as
    such; with ``whole`` a recogniser with its task and tokens, for ``load_recogniser``.
    Of other downstream tasks the fine-tuned encoder is exported, so that it can be
    probed like any other.

    Args:
        experiment: ESPnet's output_dir, with config.yaml.
        folder: The checkpoint to write. Files that a synthesiser needs are copied.
        model_file: File name of the saved model in the experiment.
        half: Store trained weights in fp16.
        whole: Export a recogniser completely.

    Returns:
        The exported model.

    Raises:
        FileNotFoundError: If the experiment has no such file, or no such vocoder.
        ValueError: If it is no UniWav experiment, or a tensor does not fit.
    """
    check_output(folder, folder=True)
    experiment, folder = Path(experiment), Path(folder)
    path, config_file = experiment / model_file, experiment / CONFIG
    if not config_file.is_file():
        raise FileNotFoundError(f"{config_file} is missing: name an ESPnet output_dir")
    if not whole:
        found = read_checkpoint(path, config_file)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: name a saved model with --model_file, such as "
            "latest.pth or 10epoch.pth"
        )
    about = {"experiment": experiment.resolve().name, "model_file": path.resolve().name}
    if whole:
        return export_recogniser(config_file, path, folder, about, half)
    model = found.load(load_name(KINDS[found.kind].network))
    if (updates := read_state(path).get("global_step")) is not None:
        about["updates"] = int(updates)
    about["training"] = strip_local_paths(read_yaml(config_file), experiment)
    if found.kind == "synthesiser":
        _copy_files(found.model["speaking"], model, folder)
    save_checkpoint(model, found.model, folder, about, half)
    return model


def _copy_files(speaking: dict, model: nn.Module, folder: Path) -> None:
    """Copy the files that a synthesiser names, and name them by their names there."""
    if vocoder := speaking.get("vocoder"):
        find_vocoder(vocoder, model.features.spec)
    for part, key in named_files(speaking):
        source = Path(part[key])
        if key == "vocoder" and not source.is_dir():
            continue  # the name of a packaged one, or ``none``
        part[key] = copy_file(source, folder)


def read_experiment(path: Path, config: str | Path | None = None) -> Checkpoint:
    """What a model file of an experiment is, as ``read_checkpoint`` says it.

    Args:
        path: Weights that a training saved (.pth).
        config: ``config.yaml`` of the training; None: beside them.

    Raises:
        FileNotFoundError: If there is no configuration.
        ValueError: If it is of no UniWav experiment.
    """
    config = Path(config or path.with_name(CONFIG))
    if not config.is_file():
        raise FileNotFoundError(
            f"{config}: no such file; name a model file (.pth) beside its config.yaml"
        )
    args = read_yaml(config)
    with error_context(config):
        kind, model, prefixes = describe(config, args)
    return Checkpoint(
        path, kind, model, None, lambda: model_weights(read_state(path), prefixes)
    )


def describe(path: Path, args: dict) -> tuple[str, dict, dict[str, str]]:
    """Kind, model configuration and weight prefixes of an experiment.

    Args:
        path: Its config.yaml, for the error.
        args: The content.
    """
    if args.get("tts") == "uniwav":
        return "synthesiser", synthesiser_config(args), {"tts.synthesizer.": ""}
    if args.get("codec") in VOCODERS:
        conf = args["codec_conf"]
        generator = dict(conf.get("generator") or {})
        if "latents" in generator:
            generator["latents"] = without_local(generator["latents"])
        config = {"features": conf["features"], "vocoder": generator}
        return "vocoder", config, {"codec.generator.": ""}
    if args.get("frontend") != "uniwav":
        found = ("model", "frontend", "codec", "tts")
        raise ValueError(
            f"{path}: expected frontend: uniwav, of pre-training, a tokenizer or a "
            f"downstream task, codec: {' or '.join(VOCODERS)}, or tts: uniwav; found "
            + ", ".join(f"{key}: {args.get(key)}" for key in found)
        )
    if args.get("model") == "uniwav_tokenizer":
        return "tokenizer", args["model_conf"]["architecture"], {"tokenizer.": ""}
    if args.get("model") == "uniwav" and "loss" in args:
        names = [loss["name"] for loss in args["loss"] if loss["name"] in OBJECTIVES]
        prefixes = {
            theirs + ours.removeprefix(part): name
            for ours, name in model_prefixes(names).items()
            for part, theirs in espnet_prefixes(args).items()
            if ours.startswith(part)
        }
        return "uniwav", model_config(pretraining_config(args)), prefixes
    config = encoder_config(args["frontend_conf"])
    return "uniwav", config, {"frontend.encoder.": "encoder.", **FEATURES}


def synthesiser_config(args: dict) -> dict:
    """ESPnet's arguments of the TTS task -> configuration of a synthesiser.

    Returns:
        Architecture of the ``UniWav``; ``synthesiser``: arguments of
        ``SynthesizerNetwork``; ``speaking``: what ``Synthesizer`` does by default.
    """
    check_tokens(args["token_list"])
    conf = {k: v for k, v in args["tts_conf"].items() if v is not None}
    speaking = {key: conf[key] for key in SPEAKING if key in conf}
    network = {
        key: value
        for key, value in conf.items()
        if key not in TTS_TRAINING and key not in SPEAKING
    }
    return {
        **conf["architecture"],
        "synthesiser": {"token_list": list(args["token_list"]), **network},
        "speaking": {**speaking, "text": describe_text(args)},
    }


def pretraining_config(args: dict) -> dict:
    """ESPnet's arguments of the SSL task -> configuration of ``Pretraining``.

    Without its checkpoint, and without losses that are ESPnet's own.
    """
    features = without_local(features_config(args))
    return {
        "features": features,
        "encoder": dict(args.get("encoder_conf") or {}),
        "objectives": {
            loss["name"]: dict(loss.get("conf") or {})
            for loss in args["loss"]
            if loss["name"] in OBJECTIVES
        },
    }


def espnet_prefixes(args: dict) -> dict[str, str]:
    """Prefixes of names in a ``Pretraining`` -> those in ESPnet's model of it."""
    losses = {
        f"{loss['name']}.": f"losses.{i}.objective."
        for i, loss in enumerate(args["loss"])
    }
    return {"features.": "frontend.features.", "encoder.": "encoder.encoder.", **losses}


def features_config(args: dict) -> dict:
    """ESPnet's arguments of the SSL task -> name and arguments of its features."""
    frontend = args.get("frontend_conf") or {}
    return {
        "name": frontend.get("features", "log_mel"),
        "sample_rate": parse_rate(frontend.get("fs", 16000)),
        **(frontend.get("features_conf") or {}),
    }


def encoder_config(frontend_conf: dict) -> dict:
    """Arguments of ``frontend: uniwav`` -> configuration of its encoder alone."""
    architecture, layer = frontend_conf["architecture"], frontend_conf.get("layer")
    encoder = dict(architecture["encoder"])
    if isinstance(layer, int):
        encoder["num_layers"] = layer
    return {"features": architecture["features"], "encoder": encoder, "decoder": None}


def model_weights(state: dict[str, Tensor], prefixes: dict[str, str]) -> dict:
    """Names of the training model -> names of the model; other tensors are left out."""
    return {
        prefixes[prefix] + key[len(prefix) :]: value
        for key, value in state.items()
        for prefix in prefixes
        if key.startswith(prefix)
    }
