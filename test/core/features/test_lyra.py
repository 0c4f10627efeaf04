"""Latents of Lyra: order, state, padding; where its files come from, and which."""

import hashlib
import sys
import types

import numpy as np
import pytest
import torch
from factories import SHARED, make_speech
from file_server import serve

from espnet_uniwav.apps.vocoder import Vocoder
from espnet_uniwav.core.features import build_features, lyra
from espnet_uniwav.core.features.lyra import Lyra
from espnet_uniwav.io.audio import read_speech
from espnet_uniwav.io.download import Archive

REAL = SHARED / "lyra"


class Interpreter:
    """A network with the shapes of Lyra's: a running sum over the frames so far."""

    def __init__(self, path, num_threads):
        self.sizes = (320, 64) if "encoder" in path else (64, 320)
        self.sum = 0.0

    def allocate_tensors(self):
        pass

    def get_input_details(self):
        return [dict(index=0, shape=np.array([1, self.sizes[0]]))]

    def get_output_details(self):
        return [dict(index=1, shape=np.array([1, self.sizes[1]]))]

    def set_tensor(self, index, value):
        assert value.shape == (1, self.sizes[0]) and value.dtype == np.float32
        self.frame = value

    def invoke(self):
        self.sum += self.frame.sum()

    def get_tensor(self, index):
        return np.full((1, self.sizes[1]), self.sum, np.float32)


@pytest.fixture
def codec(tmp_path, monkeypatch):
    """A folder with two networks, and what runs them."""
    lyra._find_network.cache_clear()
    monkeypatch.delenv(lyra.FOLDER, raising=False)
    for name in ("ENCODER", "DECODER"):
        place = getattr(lyra, name).place
        digest = hashlib.sha256(name.encode()).hexdigest()
        monkeypatch.setattr(lyra, name, Archive(place, len(name), digest))
        (tmp_path / getattr(lyra, name).name).write_text(name)
    package = types.ModuleType("ai_edge_litert")
    package.interpreter = types.ModuleType("ai_edge_litert.interpreter")
    package.interpreter.Interpreter = Interpreter
    for module in (package, package.interpreter):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    yield tmp_path
    lyra._find_network.cache_clear()


def test_frames_pass_in_order_and_utterances_apart(codec):
    features = build_features("lyra", codec=str(codec))
    speech, lengths = make_speech([960, 500])
    x, frames = features.extract(speech, lengths)
    assert x.shape == (2, 3, 64) and frames.tolist() == [3, 2]
    sums = speech.unflatten(1, (3, 320)).sum(2).cumsum(1)
    raw = features.denormalise(x)
    torch.testing.assert_close(raw[0], sums[0, :, None].expand(3, 64))
    torch.testing.assert_close(raw[1, :2], sums[1, :2, None].expand(2, 64))
    alone, _ = features.extract(speech[1:, :500])
    torch.testing.assert_close(x[1:, :2], alone)
    wave, lengths = features.invert(x, frames)
    assert wave.shape == (2, 960) and lengths.tolist() == [960, 640]
    assert wave.abs().max() <= 1


def test_the_spec_names_the_checksums_and_no_folder(codec):
    features = Lyra(codec)
    assert str(codec) not in str(features.spec.to_dict())
    assert build_features("lyra", **features.spec.conf).spec == features.spec
    with pytest.raises(ValueError, match="another codec"):
        Lyra(checksums=["0" * 64, "1" * 64])


def test_another_rate_is_refused():
    with pytest.raises(ValueError, match="16000 Hz, found fs of 24000"):
        Lyra(sample_rate=24000)


def test_wrong_and_missing_files_are_named_and_kept(codec, tmp_path):
    path = codec / lyra.ENCODER.name
    path.write_text("other")
    with pytest.raises(ValueError, match=f"{path}: expected 7 bytes"):
        Lyra(codec).extract(torch.zeros(320))
    assert path.read_text() == "other"
    path.unlink()
    with pytest.raises(FileNotFoundError, match=f"{path} is missing"):
        Lyra(codec).extract(torch.zeros(320))


def test_the_environment_names_the_folder(codec, monkeypatch):
    monkeypatch.setenv("UNIWAV_LYRA", str(codec))
    assert Lyra().extract(torch.zeros(320))[0].shape == (1, 1, 64)


def test_the_files_are_downloaded_once(codec, monkeypatch, tmp_path):
    monkeypatch.setattr(lyra, "CACHE", str(tmp_path / "cache"))
    with serve({f"/{lyra.ENCODER.place}": b"ENCODER"}) as server:
        monkeypatch.setattr(lyra, "MIRRORS", (server.url,))
        for _ in range(2):
            lyra._find_network.cache_clear()
            Lyra().extract(torch.zeros(320))
        assert server.ranges == [None]
    with pytest.raises(OSError, match="codec: FOLDER.* or UNIWAV_LYRA"):
        Lyra().invert(torch.zeros(1, 64))


def test_a_missing_interpreter_names_the_extra(codec, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(ImportError, match=r"espnet-uniwav\[lyra\]"):
        Lyra(codec).extract(torch.zeros(320))


@pytest.mark.skipif(not REAL.is_dir(), reason="Lyra's files are not at hand")
def test_the_real_codec_copies_speech():
    pytest.importorskip("ai_edge_litert")
    features = Lyra(REAL)
    speech, lengths = make_speech([16000, 9000])
    x, frames = features.extract(speech, lengths)
    assert x.shape == (2, 50, 64) and x[0].std() < 10
    alone, _ = features.extract(speech[1:, :9000])
    torch.testing.assert_close(x[1:, : frames[1]], alone)
    copy, _ = features.invert(x, frames)
    spectra = [
        w[:, 3200:12800]
        .stft(512, 160, window=torch.hann_window(512), return_complex=True)
        .abs()
        for w in (speech[:1], copy[:1])
    ]
    peaks = [own.mean(-1).argmax(-1).item() for own in spectra]
    assert abs(peaks[0] - peaks[1]) <= 1


@pytest.mark.skipif(not REAL.is_dir(), reason="Lyra's files are not at hand")
def test_the_packaged_vocoder_speaks_by_the_real_codec(monkeypatch):
    pytest.importorskip("ai_edge_litert")
    monkeypatch.setenv("UNIWAV_LYRA", str(REAL))
    (path, *_) = sorted((SHARED / "speech").rglob("*.flac"))
    speech = torch.from_numpy(read_speech(path, 16000)[:48000]).float()
    vocoder = Vocoder.from_pretrained("vocoder_lyra")
    x = vocoder.features.extract_one(speech)
    copy = vocoder.features.extract_one(vocoder(x[None])[0])
    assert copy.shape == x.shape
    error = (copy - x).square().mean()
    assert error < 0.2 * (copy - x.roll(25, 0)).square().mean()
