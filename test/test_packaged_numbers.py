"""What the packaged models compute, compared with numbers of an earlier version.

``python test/test_packaged_numbers.py MODEL`` writes those of a model in
``packaged_numbers.json`` anew: only if it was replaced.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from espnet_uniwav import Synthesizer, UniWavTokenizer, load_checkpoint
from espnet_uniwav.apps.vocoder import Vocoder

EXPECTED = Path(__file__).with_name("packaged_numbers.json")
RATE = 16000
# Other versions of torch, instruction sets and makers of CPUs sum in another order,
# which steps of the flow and the phases of a vocoder amplify: with AVX2 samples of
# quiet speech by 0.09 of the root of their mean square.
SAME_TORCH = torch.__version__.startswith("2.8.")


def cpu() -> str:
    """Instruction set and maker of this CPU; the file may leave the maker open."""
    facts = Path("/proc/cpuinfo")
    text = facts.read_text() if facts.exists() else ""
    maker = re.search(r"vendor_id\s*: (\w+)", text)
    return f"{torch.backends.cpu.get_cpu_capability()} {maker and maker[1]}"


def speech(seconds: float = 1.0, seed: int = 0) -> torch.Tensor:
    """(S,) a buzz of 120 Hz whose loudness moves, with a little noise."""
    t = torch.arange(int(seconds * RATE)) / RATE
    noise = torch.randn(len(t), generator=torch.Generator().manual_seed(seed))
    tones = sum(torch.sin(2 * torch.pi * 120 * n * t) / n for n in range(1, 20))
    return 0.1 * tones * (1.2 + torch.sin(2 * torch.pi * 3 * t)) + 0.002 * noise


def numbers(values) -> list[float]:
    """Size, norm, and 8 values, evenly spread."""
    flat = torch.as_tensor(np.asarray(values)).double().flatten()
    some = flat[:: max(len(flat) // 8, 1)][:8]
    return [float(len(flat)), float(flat.norm()), *some.tolist()]


def small() -> dict:
    """States, z's weights and infilled frames."""
    model = load_checkpoint("small")
    x, _ = model.features.extract(speech())
    with torch.no_grad():
        states = model.hidden_states(x)
    mask = torch.zeros(x.shape[:2], dtype=torch.bool)
    mask[:, 15:30] = True
    generator = torch.Generator().manual_seed(0)
    filled = model.infill(x, mask, generator=generator, num_steps=4)
    found = {f"state {i}": numbers(own) for i, own in enumerate(states)}
    return {**found, "weights": numbers(model.layer_weights()), "x": numbers(filled)}


def tokens() -> dict:
    """Codes, and speech decoded with and without a prompt."""
    tokenizer = UniWavTokenizer.from_pretrained("tokens")
    codes, voice = tokenizer.encode_one(speech())
    plain = tokenizer.decode(codes, num_steps=2)
    prompted = tokenizer.decode(codes, prompt=speech(0.8, 1), num_steps=2)
    return {
        "codes": codes.tolist(),
        "voice": voice.tolist(),
        "plain": numbers(plain),
        "prompted": numbers(prompted),
    }


def vocoder() -> dict:
    """Samples of the features of a recording."""
    model = Vocoder.from_pretrained("vocoder")
    x, _ = model.features.extract(speech())
    with torch.no_grad():
        return {"samples": numbers(model(x))}


def vocoder_lyra() -> dict:
    """Latents of the features of a recording; the codec is not needed."""
    model = Vocoder.from_pretrained("vocoder_lyra")
    return {"latents": numbers(model.draw(model.features.extract(speech())[0]))}


def voices() -> dict:
    """A text in the model's own voice and in that of a prompt, and given phones."""
    synthesizer = Synthesizer.from_pretrained("voices")
    text = "Dr. Hale paid $5 for 42 zyxgorps, and that was 1st class."
    own = synthesizer("Hello, world.")
    prompt = dict(prompt=speech(), prompt_text="oh no", seed=3)
    phones = dict(phones="SIL HH AH L OW_E SIL", durations="9 4 3 4 8 9")
    return {
        "own": numbers(own),
        "long": numbers(synthesizer(text, speed=1.1, num_steps=1)),
        "prompted": numbers(synthesizer("Hi there.", **prompt)),
        "phones": numbers(synthesizer(**phones, guidance_scale=0.5)),
    }


MODELS = (small, tokens, vocoder, vocoder_lyra, voices)


@pytest.mark.parametrize("model", MODELS)
def test_packaged_models_compute_the_same(model):
    expected, found = json.loads(EXPECTED.read_text())[model.__name__], model()
    same = SAME_TORCH and cpu().startswith(expected.pop("cpu"))
    assert list(found) == list(expected)
    for name, values in found.items():
        if name in ("codes", "voice"):
            assert values == expected[name]
            continue
        size, norm = expected[name][:2]
        atol = 1e-5 if same else 0.1 * norm / size**0.5
        np.testing.assert_allclose(
            values, expected[name], rtol=1e-4, atol=atol, err_msg=name
        )


if __name__ == "__main__":
    written = json.loads(EXPECTED.read_text())
    for own in MODELS:
        if own.__name__ in sys.argv[1:]:
            written[own.__name__] = {"cpu": cpu(), **own()}
    lines = ",\n".join(f'"{key}": {json.dumps(own)}' for key, own in written.items())
    EXPECTED.write_text(f"{{{lines}}}\n")
