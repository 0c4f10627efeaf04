"""The packaged ``tokens`` gives the codes and samples that were recorded of it.

``golden_tokens.json`` holds, of one second: all codes of one utterance, its speaker
code, and every 50th sample decoded with it, and with a prompt of another speaker.
"""

import json
from pathlib import Path

import pytest
import torch
from factories import make_speech

from espnet_uniwav.apps.tokenizer import UniWavTokenizer

GOLDEN = json.loads(Path(__file__).with_name("golden_tokens.json").read_text())
STEPS = dict(num_steps=4, seed=0)


@pytest.fixture(scope="module")
def tokenizer():
    return UniWavTokenizer.from_pretrained("tokens")


def assert_same_samples(found, expected):
    torch.testing.assert_close(
        found[0, ::50], torch.tensor(expected), rtol=0, atol=1e-5
    )


def test_codes_are_the_recorded_ones(tokenizer):
    speech = make_speech([16000])[0]
    assert tokenizer.encode(speech)[0].tolist() == GOLDEN["codes"]
    assert tokenizer.encode_speaker(speech)[0].tolist() == GOLDEN["speaker_code"]


def test_samples_are_the_recorded_ones(tokenizer):
    codes = torch.tensor(GOLDEN["codes"])
    own = torch.tensor([GOLDEN["speaker_code"]])
    spoken = tokenizer.decode(codes, speaker_codes=own, **STEPS)
    assert_same_samples(spoken, GOLDEN["spoken"])
    prompt = make_speech([9000], seed=3)[0][0]
    prompted = tokenizer.decode(codes, prompt=prompt, **STEPS)
    assert_same_samples(prompted, GOLDEN["prompted"])
