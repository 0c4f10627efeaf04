"""Export of an ESPnet experiment to a checkpoint folder."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from espnet_uniwav.apps.tokenizer.tokenizer import UniWavTokenizer
from espnet_uniwav.apps.vocoder import Vocoder
from espnet_uniwav.core.checkpoint import save_checkpoint
from espnet_uniwav.core.features import without_local
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.core.pretraining import OBJECTIVES, model_config, model_prefixes
from espnet_uniwav.integrations.espnet.finetuned import export_finetuned, read_state
from espnet_uniwav.io.card import write_card
from espnet_uniwav.io.folder import load_strictly
from espnet_uniwav.io.input import error_context, read_yaml
from espnet_uniwav.io.output import check_output
from espnet_uniwav.io.paths import strip_local_paths
from espnet_uniwav.io.units import parse_rate

FEATURES = {"frontend.features.": "features."}


def export(
    experiment: str,
    folder: str,
    model_file: str = "latest.pth",
    half: bool = False,
    whole: bool = False,
    data: str | None = None,
    licence: str | None = None,
    language: str = "en",
    metrics: Path | None = None,
    limits: Path | None = None,
    name: str | None = None,
) -> str:
    """Export an experiment, and write its card if data and licence are given.

    Args:
        experiment: ESPnet's output_dir.
        folder: Checkpoint to write.
        model_file: Saved model in the experiment.
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

    Returns:
        What was done, in one line.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    if bool(data) != bool(licence):
        raise ValueError("a model card needs both --data and --licence")
    if data and data.endswith(".md"):
        data = _text(Path(data))
    about = dict(language=language, metrics=_text(metrics), limits=_text(limits))
    model = export_experiment(experiment, folder, model_file, half, whole)
    if data:
        write_card(folder, data, licence, name=name, **about)
    number = sum(p.numel() for p in model.parameters())
    return f"{folder}: {number / 1e6:.1f} M parameters"


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

    Pre-training is exported as a ``UniWav``, tokenizers and vocoders as such. A
    synthesiser is exported with its task and tokens, for ``load_reader``; with
    ``whole`` also a recogniser. Of other downstream tasks the fine-tuned encoder is
    exported, so that it can be probed like any other.

    Args:
        experiment: ESPnet's output_dir, with config.yaml.
        folder: The checkpoint to write.
        model_file: File name of the saved model in the experiment.
        half: Store trained weights in fp16.
        whole: Export a recogniser with its task and tokens, for ``load_recogniser``.

    Returns:
        The exported model.

    Raises:
        FileNotFoundError: If the experiment has no such file.
        ValueError: If it is no UniWav experiment, or a tensor does not fit.
    """
    check_output(folder, folder=True)
    experiment = Path(experiment)
    path, config_file = experiment / model_file, experiment / "config.yaml"
    if not config_file.is_file():
        raise FileNotFoundError(f"{config_file} is missing: name an ESPnet output_dir")
    args = read_yaml(config_file)
    finetuned = whole or args.get("tts")
    with error_context(config_file):
        described = None if finetuned else describe(config_file, args)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: name a saved model with --model_file, such as "
            "latest.pth or 10epoch.pth"
        )
    about = {"experiment": experiment.resolve().name, "model_file": path.resolve().name}
    if finetuned:
        kind = "tts" if args.get("tts") else "asr"
        return export_finetuned(kind, config_file, path, folder, about, half)
    build, config, prefixes = described
    with error_context(config_file):
        model = build(config)
    state = read_state(path)
    load_strictly(model, model_weights(state, prefixes), str(path))
    updates = state.get("global_step")
    about["updates"] = int(updates) if updates is not None else None
    about["training"] = strip_local_paths(args, experiment)
    save_checkpoint(model, config, folder, about, half)
    return model


def describe(path: Path, args: dict):
    """Build function, model configuration and weight prefixes of an experiment."""
    if args.get("codec") == "uniwav_vocoder":
        conf = args["codec_conf"]
        config = {"features": conf["features"], "vocoder": conf.get("generator") or {}}
        return Vocoder.from_config, config, {"codec.generator.": ""}
    if args.get("frontend") != "uniwav":
        raise ValueError(
            f"{path}: expected frontend: uniwav, of pre-training, a tokenizer or a "
            "downstream task, or codec: uniwav_vocoder; found model: "
            f"{args.get('model')}, frontend: {args.get('frontend')}, codec: "
            f"{args.get('codec')}"
        )
    if args.get("model") == "uniwav_tokenizer":
        config = args["model_conf"]["architecture"]
        return UniWavTokenizer.from_config, config, {"tokenizer.": ""}
    if args.get("model") == "uniwav" and "loss" in args:
        names = [loss["name"] for loss in args["loss"] if loss["name"] in OBJECTIVES]
        prefixes = {
            theirs + ours.removeprefix(part): name
            for ours, name in model_prefixes(names).items()
            for part, theirs in espnet_prefixes(args).items()
            if ours.startswith(part)
        }
        return UniWav.from_config, model_config(pretraining_config(args)), prefixes
    config = encoder_config(args["frontend_conf"])
    prefixes = {"frontend.encoder.": "encoder.", **FEATURES}
    return UniWav.from_config, config, prefixes


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
