"""The classes of doc/tokens.md for DASB and Codec-SUPERB, in the shapes of these."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import torch
from factories import ROOT, make_speech

from espnet_uniwav.apps.tokenizer import UniWavTokenizer


@dataclass
class ExtractedUnit:
    """As of SoundCodec 1.6."""

    unit: torch.Tensor
    stuff_for_synth: object


class BaseCodec:
    """As of SoundCodec 1.6, without files."""

    def __init__(self):
        self.device = "cpu"
        self.sampling_rate = self.setting = None
        self.config()

    def synth(self, data, local_save=True):
        extracted = self.extract_unit(data)
        data["unit"] = extracted.unit
        data["audio"]["array"] = self.decode_unit(extracted.stuff_for_synth)
        return data


def defined(name):
    """A class of the page."""
    page = (ROOT / "doc/tokens.md").read_text(encoding="utf-8")
    (text,) = [
        own
        for own in re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
        if f"class {name}(" in own
    ]
    program = {}
    exec(text, program)
    return program[name]


def test_dasb():
    speech, lengths = make_speech([16000, 8000])
    own, tokenizer = defined("UniWavForDASB")(), UniWavTokenizer.from_pretrained()
    tokens = own.sig_to_tokens(speech, torch.tensor([1.0, 0.5]))
    expected = tokenizer.encode(speech, lengths)
    assert tokens.shape == (2, 25, 4) and tokens.dtype == torch.long
    assert torch.equal(tokens[0].T, expected[0])
    assert torch.equal(tokens[1, :13].T, expected[1, :, :13])
    assert (tokens[1, 13:] == 0).all()
    assert torch.equal(own.sig_to_tokens(speech, num_codebooks=2)[0], tokens[0, :, :2])
    signal = own.tokens_to_sig(tokens[:1])
    assert torch.equal(signal, tokenizer.decode(expected[:1]))
    assert own.get_pretrained_embeddings(1024, 2).shape[0] == 2 * 1024


def test_codec_superb(monkeypatch):
    module = ModuleType("SoundCodec.base_codec.general")
    module.BaseCodec, module.ExtractedUnit = BaseCodec, ExtractedUnit
    for name in ("SoundCodec", "SoundCodec.base_codec", module.__name__):
        monkeypatch.setitem(sys.modules, name, module)
    codec = defined("Codec")()
    speech = make_speech([12000])[0][0].numpy()
    data = {"id": "a", "audio": {"array": speech, "sampling_rate": 16000}}
    done = codec.synth(data, local_save=False)
    tokenizer = UniWavTokenizer.from_pretrained()
    codes, speaker_code = tokenizer.encode_one(speech)
    assert codec.sampling_rate == 16000
    assert torch.equal(done["unit"], codes)
    expected = tokenizer.decode(codes, speaker_codes=speaker_code)
    np.testing.assert_array_equal(done["audio"]["array"], expected)
    assert done["audio"]["array"].shape == (1, 19 * 640)
