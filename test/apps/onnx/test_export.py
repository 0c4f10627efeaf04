"""Other configurations than those of the packaged models, and what is refused."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from factories import (
    TRANSFORMER,
    command,
    make_features,
    make_frames,
    make_model,
    make_speech,
    make_synthesizer,
)

for package in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(package)
import onnxruntime  # noqa: E402

from espnet_uniwav.apps.onnx import export, graphs  # noqa: E402
from espnet_uniwav.apps.tokenizer import UniWavTokenizer  # noqa: E402
from espnet_uniwav.apps.tokenizer.fit import fit_tokenizer  # noqa: E402
from espnet_uniwav.apps.vocoder import FlowVocoder, Vocoder  # noqa: E402
from espnet_uniwav.core.flow.sampling import Sampling  # noqa: E402

PLAIN = dict(dim=16, ffn_dim=32, num_layers=2)
GUIDED = Sampling(1, "midpoint", guidance_scale=0.7)


def make_tokenizer(**conf):
    tokenizer = UniWavTokenizer(make_model(), codebook_size=16, **conf).eval()
    fit_tokenizer(tokenizer, list(make_speech([16000, 9000])[0]))
    return tokenizer


GRAPHS = {
    "states": lambda: graphs.EncoderGraph(
        make_model(encoder=dict(TRANSFORMER, position="conv_alibi"), decoder=None)
    ),
    "states of a pre-norm encoder": lambda: graphs.EncoderGraph(
        make_model(encoder=dict(TRANSFORMER, position="alibi", norm_first=True))
    ),
    "guided steps": lambda: graphs.SamplerGraph(make_model(), GUIDED),
    "clusters": lambda: graphs.CodesGraph(make_tokenizer(layer=2, num_codebooks=2)),
    "vocoder": lambda: graphs.VocoderGraph(Vocoder(make_features(), **PLAIN)),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_equals_torch(name, tmp_path):
    torch.manual_seed(0)
    graph = GRAPHS[name]().eval()
    export.write_graph(graph, tmp_path / "graph.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "graph.onnx")
    for frames in (1, 20, 77):
        masks = {"mask": torch.rand(1, frames) > 0.4}
        masks["padding_mask"] = torch.arange(frames)[None] >= (frames + 1) // 2
        numbers = {
            key: make_frames(frames, int(said.split()[-1]))[None]
            for key, said in graph.inputs.items()
            if key not in masks
        }
        inputs = [{**masks, **numbers}[key] for key in graph.inputs]
        arrays = {key: own.numpy() for key, own in zip(graph.inputs, inputs)}
        with torch.no_grad():
            expected = graph(*inputs)
        expected = expected if isinstance(expected, tuple) else (expected,)
        for own, found in zip(expected, session.run(None, arrays)):
            np.testing.assert_allclose(found, own, rtol=1e-4, atol=1e-4)


def test_a_missing_package_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(SystemExit, match=r"espnet_uniwav\[onnx\]"):
        command("export")(["small", "--onnx", str(tmp_path)])


@pytest.mark.parametrize(
    "kind, said", [("recogniser", "ESPnet's"), ("features", "features")]
)
def test_other_kinds_are_refused(kind, said, monkeypatch, tmp_path):
    found = SimpleNamespace(kind=kind, path="MODEL")
    monkeypatch.setattr(export, "read_checkpoint", lambda name: found)
    with pytest.raises(ValueError, match=f"^MODEL.*{said}"):
        export.export_onnx("MODEL", tmp_path / "onnx")
    assert not (tmp_path / "onnx").exists()


def test_an_encoder_of_visible_frames_is_refused():
    model = SimpleNamespace(network=make_synthesizer(visible_only=True))
    with pytest.raises(ValueError, match="visible_only"):
        export.PARTS["synthesiser"](model)


def test_a_vocoder_of_latents_is_refused():
    decoder = dict(num_layers=1, embed_dim=16, num_heads=1, position="rotary")
    vocoder = FlowVocoder(make_features(), {"name": "log_mel"}, **decoder)
    with pytest.raises(ValueError, match="latents has no graph"):
        export.PARTS["vocoder"](vocoder)


@pytest.mark.parametrize("words", [["small"], ["small", "OUT", "--onnx", "OUT"]])
def test_one_folder_is_written(words):
    with pytest.raises(SystemExit, match="--onnx"):
        command("export")(words)


def test_no_such_checkpoint(tmp_path):
    with pytest.raises(SystemExit, match="nowhere"):
        command("export")([str(tmp_path / "nowhere"), "--onnx", str(tmp_path / "out")])
