"""Graphs compute under onnxruntime what the models compute."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from factories import ROOT, make_speech

for package in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(package)
import onnxruntime  # noqa: E402

from espnet_uniwav import Synthesizer, UniWavTokenizer, load_checkpoint  # noqa: E402
from espnet_uniwav.apps.onnx import export_onnx  # noqa: E402
from espnet_uniwav.io.audio import read_speech  # noqa: E402
from espnet_uniwav.lab.benchmark.onnx_speed import MODELS, compare  # noqa: E402

CLOSE = dict(rtol=0, atol=1e-4)
PHONES = "SIL HH AH L OW_E SIL W ER L D_E SIL"
# What the page says, in a process that cannot import PyTorch.
WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
exec(open(sys.argv[1]).read())
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Exports a packaged model once: its graphs as functions, and config.json."""
    folders = {}

    def export(name):
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp(name)
            export_onnx(name, folders[name])
        return folders[name]

    return export


def sessions(folder):
    """Name of a graph -> function of tensors, returning a list of tensors."""
    config = json.loads((folder / "config.json").read_text())

    def function(name):
        session = onnxruntime.InferenceSession(folder / f"{name}.onnx")
        names = list(config["graphs"][name]["inputs"])
        assert [own.name for own in session.get_inputs()] == names

        def run(*tensors):
            arrays = [tensor.numpy() for tensor in tensors]
            return session.run(None, dict(zip(names, arrays)))

        return run

    return {name: function(name) for name in config["graphs"]}


def recording():
    """A person's speech, (S,)."""
    voice = Synthesizer.from_pretrained("voices").voice
    return torch.from_numpy(read_speech(voice, 16000)).float()


@pytest.mark.parametrize("lengths", [[1], [320], [16001], [40000, 30001, 400]])
def test_features_and_states(exported, lengths):
    run, model = sessions(exported("small")), load_checkpoint("small")
    speech, lengths = make_speech(lengths)
    x, frames = model.features.extract(speech, lengths)
    padding_mask = torch.arange(x.shape[1]) >= frames[:, None]
    found_x, found_mask = run["features"](speech, lengths)
    np.testing.assert_allclose(found_x, x, **CLOSE)
    np.testing.assert_array_equal(found_mask, padding_mask)
    with torch.no_grad():
        expected = model.hidden_states(x, padding_mask)
        z = model.weighted_sum(expected)
    states, found_z = run["encoder"](x, padding_mask)
    valid = ~found_mask
    np.testing.assert_allclose(
        states[:, valid], torch.stack(expected)[:, valid], **CLOSE
    )
    np.testing.assert_allclose(found_z[valid], z[valid], **CLOSE)


@pytest.mark.parametrize("size", [321, 16000, 33333, None])
def test_codes_are_equal(exported, size):
    run, tokenizer = sessions(exported("tokens")), UniWavTokenizer.from_pretrained()
    speech = recording()[:size]
    codes, speaker = tokenizer.encode_one(speech)
    x, _ = run["features"](speech[None], torch.tensor([len(speech)]))
    found = run["codes"](torch.from_numpy(x))
    np.testing.assert_array_equal(found[0][0], codes)
    np.testing.assert_array_equal(found[1][0], speaker)


def example():
    """The Python of the page."""
    page = (ROOT / "doc/onnx.md").read_text(encoding="utf-8")
    return re.search(r"^```python\n(.*?)^```$", page, re.M | re.S)[1]


class Draws:
    """The noise of ``Synthesizer``, for programs of NumPy."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def standard_normal(self, shape, dtype):
        return torch.randn(shape, generator=self.generator).numpy()


def test_the_example_of_the_page_speaks_as_the_model(exported, tmp_path, monkeypatch):
    (tmp_path / "OUT").symlink_to(exported("voices"))
    monkeypatch.chdir(tmp_path)
    program = {}
    exec(example(), program)
    synthesizer = Synthesizer.from_pretrained("voices")
    for phones in (PHONES, "AH", f"{PHONES} {PHONES} {PHONES}"):
        expected = synthesizer(phones=phones, seed=3)
        found = program["speak"](phones, Draws(3))
        np.testing.assert_allclose(found, expected, **CLOSE)


def test_the_example_needs_no_torch(exported, tmp_path):
    (tmp_path / "OUT").symlink_to(exported("voices"))
    (tmp_path / "example.py").write_text(example())
    words = [sys.executable, "-c", WITHOUT_TORCH, "example.py"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert np.abs(read_speech(tmp_path / "out.wav", 16000)).max() > 0.05


def test_a_prompt_without_text(exported):
    """As of ``Synthesizer``, whose durations are given."""
    run, synthesizer = (
        sessions(exported("voices")),
        Synthesizer.from_pretrained("voices"),
    )
    network, prompt = synthesizer.network, synthesizer.prompt(recording().numpy())
    tokens = synthesizer.tokens(PHONES.split())
    durations = torch.full_like(tokens, 6)
    spoken = network.speak(
        tokens,
        prompt,
        durations=durations,
        sampling=synthesizer.sampling,
        generator=torch.Generator().manual_seed(1),
    )
    x = torch.cat((prompt.x, torch.zeros(len(spoken.x), prompt.x.shape[1])))[None]
    mask = torch.arange(x.shape[1])[None] >= len(prompt.x)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    (z,) = run["condition"](x, mask, tokens[None], durations[None])
    (found,) = run["sampler"](x, mask, torch.from_numpy(z), noise)
    np.testing.assert_allclose(found[mask], spoken.x, **CLOSE)
    (speech,) = run["vocoder"](spoken.x[None])
    expected = synthesizer.features.invert(spoken.x)[0]
    np.testing.assert_allclose(speech, expected, **CLOSE)


def test_the_benchmark_has_a_row_for_every_graph(exported, tmp_path):
    for name in MODELS:
        (tmp_path / name).symlink_to(exported(name))
    lines = compare(tmp_path, seconds=1, rounds=1).splitlines()[4:]
    assert len(lines) == len(list(tmp_path.glob("*/*.onnx"))) == 9
    assert all(float(line.split("|")[-2]) < 1e-4 for line in lines)
