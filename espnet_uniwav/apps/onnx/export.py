"""A checkpoint as a folder of ONNX graphs, and config.json, which describes them."""

from __future__ import annotations

import importlib
import json
import logging
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.export import Dim

from espnet_uniwav.apps.onnx import graphs
from espnet_uniwav.apps.onnx.graphs import Graph
from espnet_uniwav.apps.tokenizer import UniWavTokenizer
from espnet_uniwav.apps.tts.synthesizer import Synthesizer
from espnet_uniwav.apps.vocoder import Vocoder
from espnet_uniwav.core.checkpoint import load, read_checkpoint
from espnet_uniwav.core.features import AbsFeatures, LogMel
from espnet_uniwav.core.kinds import KINDS
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.io.audio import read_speech
from espnet_uniwav.io.input import error_context
from espnet_uniwav.io.output import atomic_path, check_output, write_text

OPSET = 18
# Lengths of the axes of any length, in the tensors that a graph is traced with.
SIZES = {"B": 2, "S": 7001, "T": 31, "L": 9}
# A synthesiser's own voice: what precedes the text without another prompt.
VOICE = "voice.npz"


def export_onnx(name: str | Path, folder: str | Path) -> str:
    """Write the graphs of a checkpoint.

    Args:
        name: See ``read_checkpoint``.
        folder: Made if it is missing.

    Returns:
        What was written, in one line.

    Raises:
        ImportError: If the extra ``onnx`` is missing.
        ValueError: If the checkpoint is broken, or of a kind that is not exported.
        OSError: If it is missing, or the folder cannot be written.
    """
    check_output(folder, folder=True)
    _check_packages()
    # Its warnings are of torchvision's operators, which no graph has.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    found, folder = read_checkpoint(name), Path(folder)
    if found.kind not in PARTS:
        whose = "" if KINDS[found.kind].network else ", whose network is ESPnet's"
        raise ValueError(
            f"{found.path}: ONNX is made of the kinds {', '.join(PARTS)}, found a "
            f"{found.kind}{whose}"
        )
    model = load(name)
    with error_context(found.path):
        parts, config = PARTS[found.kind](model), describe(found.kind, model)
    folder.mkdir(parents=True, exist_ok=True)
    for stem, graph in parts.items():
        with atomic_path(folder / f"{stem}.onnx") as path:
            write_graph(graph, path)
        config["graphs"][stem] = {"inputs": graph.inputs, "outputs": graph.outputs}
    if voice := _own_voice(model):
        with atomic_path(folder / VOICE) as path, open(path, "wb") as file:
            np.savez(file, **voice)
    write_text(folder / "config.json", json.dumps(config, indent=1) + "\n")
    return f"{folder}: {', '.join(parts)}"


def _check_packages() -> None:
    try:
        for package in ("onnx", "onnxscript"):
            importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f'ONNX needs its packages: pip install "espnet_uniwav[onnx]" ({error})'
        ) from error


def write_graph(graph: Graph, path: Path) -> None:
    """Trace a graph and write it to a file, with its weights.

    Args:
        graph: What to trace.
        path: The file.
    """
    examples, axes = [], []
    for said in graph.inputs.values():
        dtype, *sizes = said.split()
        lengths = [SIZES.get(size) or int(size) for size in sizes]
        examples.append(torch.zeros(lengths, dtype=getattr(torch, dtype)))
        axes.append({i: Dim.DYNAMIC for i, s in enumerate(sizes) if s in SIZES})
    with torch.no_grad():
        traced = torch.export.export(
            graph.eval(), tuple(examples), dynamic_shapes=tuple(axes), strict=False
        )
        program = torch.onnx.export(
            traced,
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    values = [*program.model.graph.inputs, *program.model.graph.outputs]
    for value, said in zip(values, [*graph.inputs.values(), *graph.outputs.values()]):
        for i, size in enumerate(said.split()[1:]):
            value.shape[i] = int(size) if size.isdigit() else size
    program.save(path)


def describe(kind: str, model: nn.Module | Synthesizer) -> dict:
    """What a program needs to know of the graphs, besides their own shapes."""
    spec = model.features.spec
    config = {
        "kind": kind,
        "sample_rate": spec.sample_rate,
        "hop_length": spec.hop_length,
        "graphs": {},
    }
    if kind == "synthesiser":
        known = model.network.known_tokens[model.network.phone_of]
        names = zip(model.network.token_list, known.tolist())
        tokens = {name: i for i, (name, trained) in enumerate(names) if trained}
        config.update(speed=model.speed, tokens=tokens)
    if kind == "tokenizer":
        config.update(
            codebook_size=model.codebook_size,
            frames_per_code=model.quantizer.frames_per_code,
        )
    return config


def _own_voice(model: nn.Module | Synthesizer) -> dict[str, np.ndarray] | None:
    """Features and text of the voice of a synthesiser without a prompt."""
    if not getattr(model, "voice", None):
        return None
    speech = read_speech(model.voice, model.sample_rate)
    context = model.prompt(speech, model.voice_text)
    none = torch.zeros(0, dtype=torch.long)
    tokens, durations = (
        none if own is None else own for own in (context.tokens, context.durations)
    )
    parts = dict(x=context.x, tokens=tokens, durations=durations)
    return {name: own[None].numpy() for name, own in parts.items()}


def _parts_of_uniwav(model: UniWav) -> dict[str, Graph]:
    return {**_features(model.features), "encoder": graphs.EncoderGraph(model)}


def _parts_of_tokenizer(model: UniWavTokenizer) -> dict[str, Graph]:
    return {**_features(model.features), "codes": graphs.CodesGraph(model)}


def _parts_of_synthesiser(model: Synthesizer) -> dict[str, Graph]:
    network = model.network
    if network.uniwav.encoder.visible_only:
        raise ValueError(
            "the encoder leaves out hidden frames (visible_only), which has no ONNX"
        )
    return {
        **_features(model.features),
        "durations": graphs.DurationsGraph(network),
        "condition": graphs.ConditionGraph(network),
        "sampler": graphs.SamplerGraph(network.uniwav, model.sampling),
        **_vocoder(model.features.vocoder),
    }


def _features(features: AbsFeatures) -> dict[str, Graph]:
    """None of a neural codec, whose latents the other graphs read."""
    if not isinstance(features, LogMel):
        return {}
    return {"features": graphs.FeaturesGraph(features)}


def _vocoder(vocoder: Vocoder | None) -> dict[str, Graph]:
    if vocoder is None:
        return {}
    if not isinstance(vocoder, Vocoder):
        raise ValueError(
            "a vocoder that draws a codec's latents has no graph: the codec's networks "
            "are not of PyTorch. Name another vocoder, or none"
        )
    return {"vocoder": graphs.VocoderGraph(vocoder)}


# Kind of checkpoint -> its graphs, by name.
PARTS = {
    "uniwav": _parts_of_uniwav,
    "synthesiser": _parts_of_synthesiser,
    "tokenizer": _parts_of_tokenizer,
    "vocoder": _vocoder,
}
