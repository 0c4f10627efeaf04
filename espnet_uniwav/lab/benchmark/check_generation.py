"""Generation on a device: text to speech, and speech tokens, beside the CPU's."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from espnet_uniwav.apps.tokenizer import UniWavTokenizer
from espnet_uniwav.apps.tts.batch import Batch
from espnet_uniwav.apps.tts.context import Context
from espnet_uniwav.apps.tts.network import SynthesizerNetwork
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.lab.benchmark.cpu_draws import cpu_draws
from espnet_uniwav.lab.benchmark.plan import Plan
from espnet_uniwav.lab.benchmark.setting import HEAD_DIM, make_audio
from espnet_uniwav.lab.benchmark.worker import synchronize

NUM_TOKENS, NUM_CODEBOOKS, CODEBOOK_SIZE = 40, 4, 256
FRAMES_PER_TOKEN = 5
# Relative to the deviation of the features; and of codes that may differ.
TOLERANCE, WRONG_CODES = 0.05, 0.02


def configure(plan: Plan) -> dict:
    """Configuration of an untrained model of the smallest size."""
    layers, width = map(int, plan.sizes[0].shape.split("x"))
    encoder = dict(num_layers=layers, embed_dim=width, num_heads=width // HEAD_DIM)
    encoder.update(ffn_dim=4 * width, position="conv_rotary", dropout=0.0)
    decoder = dict(num_layers=layers // 2 * 2, num_heads=width // HEAD_DIM)
    decoder.update(ffn_dim=4 * width, position="rotary")
    return dict(features=dict(name="log_mel"), encoder=encoder, decoder=decoder)


def check_speaking(plan: Plan) -> Iterator[dict]:
    """Train a synthesiser for a step, then speak with a prompt.

    Yields:
        Rows of ``check``, ``value`` and whether it is ``ok``.
    """
    torch.manual_seed(0)
    model = UniWav.from_config(configure(plan))
    here = SynthesizerNetwork(model, list(map(str, range(NUM_TOKENS))), dropout=0.0)
    here.known_tokens.fill_(True)
    expected = draw_equally(lambda: train_to_speak(here, plan))
    there = copy.deepcopy(here).to(plan.device)  # preconditioned equally
    found = draw_equally(lambda: train_to_speak(there, plan))
    yield compare("loss of speaking", found, expected)
    speak(there.eval(), plan)  # the first call of a GPU loads its kernels
    expected, _ = timed(plan, lambda: speak(here.eval(), plan))
    found, seconds = timed(plan, lambda: speak(there, plan))
    yield compare("frames of speech", found, expected)
    yield speed("speaking", plan, seconds)


def train_to_speak(model: SynthesizerNetwork, plan: Plan) -> Tensor:
    """The loss of a batch, after its gradient."""
    device = next(model.parameters()).device
    x, lengths = extract(model.uniwav, plan, device)
    number = x.shape[1] // FRAMES_PER_TOKEN
    tokens = torch.arange(number, device=device).expand(len(x), -1) % NUM_TOKENS
    durations = torch.full_like(tokens, FRAMES_PER_TOKEN)
    durations[:, -1] += x.shape[1] - number * FRAMES_PER_TOKEN
    text = tokens, torch.full_like(lengths, number), durations
    loss, _ = model.train()(Batch(*text, x, lengths))
    loss.backward()
    return loss.detach()


def extract(model: UniWav, plan: Plan, device) -> tuple[Tensor, Tensor]:
    """Features of the audio of the steps that are compared."""
    setting = plan.setting(plan.sizes[0], "fp32")
    lengths = torch.full((setting.batch,), setting.num_samples, device=device)
    return model.features.extract(make_audio(setting).to(device), lengths)


def speak(model: SynthesizerNetwork, plan: Plan) -> Tensor:
    """Frames (T, F) in the voice of a prompt."""
    device = next(model.parameters()).device
    x, _ = extract(model.uniwav, plan, device)
    frames = round(plan.spoken * model.uniwav.features.spec.frame_rate)
    tokens = torch.arange(frames // FRAMES_PER_TOKEN, device=device) % NUM_TOKENS
    generator = torch.Generator(device).manual_seed(0)
    utterance = draw_equally(
        lambda: model.speak(
            tokens, Context(x[0], tokens[:2]), num_frames=frames, generator=generator
        )
    )
    model.uniwav.features.invert_one(utterance.x)
    return utterance.x


def check_tokens(plan: Plan) -> Iterator[dict]:
    """Encode speech to tokens and decode them; rows as of ``check_speaking``."""
    torch.manual_seed(0)
    conf = dict(layer=1, num_codebooks=NUM_CODEBOOKS, codebook_size=CODEBOOK_SIZE)
    config = {**configure(plan), "tokenizer": conf}
    here = UniWavTokenizer.from_config(config).eval()
    own = here.quantizer
    for values in (own.whitening.axes, own.semantic_codebook, own.codebooks):
        values.normal_()
    there = copy.deepcopy(here).to(plan.device)
    setting = plan.setting(plan.sizes[0], "fp32")
    speech = make_audio(setting)
    codes = here.encode(speech)
    equal = (there.encode(speech.to(plan.device)).cpu() == codes).float().mean().item()
    yield dict(check="equal tokens", value=f"{equal:.2%}", ok=equal >= 1 - WRONG_CODES)
    frames = round(plan.spoken * here.frame_rate)
    codes = codes[:1].repeat(1, 1, frames // codes.shape[-1] + 1)[..., :frames]
    there.decode(codes[..., :10])  # the first call of a GPU loads its kernels
    expected = draw_equally(lambda: here.decode(codes))
    found, seconds = timed(plan, lambda: draw_equally(lambda: there.decode(codes)))
    yield compare("speech of tokens", found, expected)
    yield speed("decoding tokens", plan, seconds)


def draw_equally(function: Callable):
    """Call with the draws of the CPU from a fixed seed."""
    torch.manual_seed(1)
    with cpu_draws():
        return function()


def timed(plan: Plan, function: Callable) -> tuple[Tensor, float]:
    """The result of a call, and its seconds."""
    synchronize(plan.device)
    start = time.perf_counter()
    result = function()
    synchronize(plan.device)
    return result, time.perf_counter() - start


def compare(check: str, found: Tensor, expected: Tensor) -> dict:
    """Mean difference of two tensors, relative to the deviation of the expected one."""
    scale = expected.std() if expected.numel() > 1 else expected.abs()
    difference = ((found.cpu() - expected).abs().mean() / scale).item()
    return dict(check=check, value=f"{difference:.2g} off", ok=difference <= TOLERANCE)


def speed(check: str, plan: Plan, seconds: float) -> dict:
    """Seconds of speech generated in a second."""
    return dict(check=check, value=f"{plan.spoken / seconds:.3g} s per s", ok=True)
