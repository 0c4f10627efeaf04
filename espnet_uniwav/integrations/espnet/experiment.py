"""ESPnet experiments as checkpoints: what they hold, and their export to a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from torch import Tensor, nn

from espnet_uniwav.apps.vocoder import find_vocoder
from espnet_uniwav.cli.command import load as load_name
from espnet_uniwav.core.checkpoint import Checkpoint, read_checkpoint, save_checkpoint
from espnet_uniwav.core.kinds import KINDS
from espnet_uniwav.integrations.espnet.recogniser import (
    check_tokens,
    export_recogniser,
)
from espnet_uniwav.integrations.espnet.text_tokenizer import describe_text
from espnet_uniwav.io.folder import CONFIG, copy_file
from espnet_uniwav.io.input import error_context, read_yaml
from espnet_uniwav.io.output import check_output
from espnet_uniwav.io.paths import strip_local_paths
from espnet_uniwav.io.saved import read_state
from espnet_uniwav.io.units import parse_rate

FEATURES = {"frontend.features.": "features."}
# Parts of the training model that only training needs.
TRAINING_ONLY = (
    "teacher.",
    "codebooks.",
    "predictor.",
    "heads.",
    "usage",
    "low_epochs",
)
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
    updates = read_state(path).get("global_step")
    about["updates"] = int(updates) if updates is not None else None
    about["training"] = strip_local_paths(read_yaml(config_file), experiment)
    if found.kind == "synthesiser":
        _copy_files(found.model["speaking"], model, folder)
    save_checkpoint(model, found.model, folder, about, half)
    return model


def _copy_files(speaking: dict, model: nn.Module, folder: Path) -> None:
    """Copy the files that a synthesiser names, and name them by their names there."""
    if vocoder := speaking.get("vocoder"):
        find_vocoder(vocoder, model.features.spec)
    for part, key in _named(speaking):
        source = Path(part[key])
        if key == "vocoder" and not source.is_dir():
            continue  # the name of a packaged one, or ``none``
        part[key] = copy_file(source, folder)


def _named(speaking: dict) -> Iterator[tuple[dict, str]]:
    """Where a file or folder is named: a mapping, and the key in it."""
    text = speaking.get("text") or {}
    for part, keys in (
        (speaking, ("voice", "vocoder")),
        (text, ("bpemodel", "non_linguistic_symbols")),
    ):
        yield from ((part, key) for key in keys if part.get(key))


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
    if args.get("codec") == "uniwav_vocoder":
        conf = args["codec_conf"]
        config = {"features": conf["features"], "vocoder": conf.get("generator") or {}}
        return "vocoder", config, {"codec.generator.": ""}
    if args.get("frontend") != "uniwav":
        found = ("model", "frontend", "codec", "tts")
        raise ValueError(
            f"{path}: expected frontend: uniwav, of pre-training, a tokenizer or a "
            "downstream task, codec: uniwav_vocoder or tts: uniwav; found "
            + ", ".join(f"{key}: {args.get(key)}" for key in found)
        )
    if args.get("model") == "uniwav_tokenizer":
        return "tokenizer", args["model_conf"]["architecture"], {"tokenizer.": ""}
    if args.get("model") == "uniwav" and "loss" in args:
        losses = {f"losses.{i}.objective.": "" for i in range(len(args["loss"]))}
        prefixes = {"encoder.encoder.": "encoder.", **FEATURES, **losses}
        return "uniwav", model_config(args), prefixes
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


def model_config(args: dict) -> dict:
    """ESPnet's arguments of the SSL task -> configuration of ``UniWav``."""
    features = features_config(args)
    features.pop("checkpoint", None)  # its content is in the other keys
    losses = {loss["name"]: loss.get("conf") or {} for loss in args["loss"]}
    config = {
        "features": features,
        "encoder": dict(args.get("encoder_conf") or {}),
        "decoder": None,
    }
    if "flow_matching" in losses:
        conf = losses["flow_matching"]
        config["decoder"] = dict(conf.get("decoder") or {})
        config["kept_frames"] = conf.get("kept_frames", "data")
    return config


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
    """Names of the training model -> names of the model; training parts left out."""
    weights = _rename(state, prefixes)
    return {k: v for k, v in weights.items() if not k.startswith(TRAINING_ONLY)}


def _rename(state: dict[str, Tensor], prefixes: dict[str, str]) -> dict[str, Tensor]:
    """Replace prefixes of names; tensors with other names are left out."""
    return {
        prefixes[prefix] + key[len(prefix) :]: value
        for key, value in state.items()
        for prefix in prefixes
        if key.startswith(prefix)
    }
