"""Tiny parts, each with keyword overrides."""

import dataclasses
import math
import os
from collections.abc import Callable
from pathlib import Path

import soundfile
import torch
from torch import nn

from espnet_uniwav.apps.tts.network import SynthesizerNetwork
from espnet_uniwav.cli import uniwav
from espnet_uniwav.core.checkpoint import save_checkpoint
from espnet_uniwav.core.features import build_features
from espnet_uniwav.core.flow.decoder import FlowDecoder
from espnet_uniwav.core.flow.matching import FlowMatching
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.core.nn.transformer import Transformer
from espnet_uniwav.core.pretraining import Pretraining
from espnet_uniwav.core.ssl.codebook import OnlineCodebook
from espnet_uniwav.core.ssl.dinosr import DinoSR
from espnet_uniwav.core.ssl.encoder import Encoder
from espnet_uniwav.core.ssl.objective import MaskedBatch
from espnet_uniwav.core.ssl.perturb import Perturb
from espnet_uniwav.core.ssl.teacher import EMATeacher

ROOT = Path(__file__).parents[1]  # of the project
# speech and recorded vectors that some tests read if they are at hand
SHARED = Path(os.environ.get("UNIWAV_SHARED", ROOT.with_name("shared")))
NUM_MELS = 12
DIM = 32
POSITIONS = ("conv", "conv_alibi", "alibi", "rotary", "conv_rotary", "alibi_rotary")
TRANSFORMER = dict(
    num_layers=3, embed_dim=DIM, num_heads=4, ffn_dim=48, position="rotary"
)

# One quick epoch of an ESPnet task.
TRAINING = dict(
    batch_type="numel",
    batch_bins=20000,
    num_workers=0,
    max_epoch=1,
    optim="adam",
    num_att_plot=0,
    keep_nbest_models=1,
    best_model_criterion=[["valid", "loss", "min"]],
)
SMALLEST = dict(num_layers=2, num_heads=2, ffn_dim=32)


def make_ssl_conf(layers=SMALLEST, **overrides):
    """Configuration of ESPnet's SSL task: one quick epoch of a tiny model."""
    conf = dict(
        frontend="uniwav",
        encoder="uniwav",
        encoder_conf=dict(embed_dim=DIM, position="rotary", **layers),
        model="uniwav",
        normalize=None,
        preencoder=None,
        loss=[
            dict(name="dinosr", conf=dict(num_codebooks=1, codebook_size=8)),
            dict(name="flow_matching", conf=dict(decoder=layers)),
        ],
        util=[dict(name="span_mask", conf={})],
        use_preprocessor=False,
        **TRAINING,
    )
    return {**conf, **overrides}


def command(name: str) -> Callable[[list[str]], None]:
    """``uniwav NAME``, as a function of the other words."""
    return lambda words: uniwav.main([name, *map(str, words)])


def sharpen(module: nn.Module) -> nn.Module:
    """Set weights large enough that every input of every layer matters."""
    generator = torch.Generator().manual_seed(1)
    for parameter in module.parameters():
        scale = 1.5 / math.sqrt(parameter[0].numel()) if parameter.dim() > 1 else 0.3
        offset = 0.0 if parameter.dim() > 1 else parameter.data
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data = offset + scale * noise
    return module


def make_frames(number=400, dim=NUM_MELS, seed=0):
    """Frames with correlated channels and a mean, (N, F)."""
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(dim, dim, generator=generator) / math.sqrt(dim)
    mean = torch.randn(dim, generator=generator)
    return torch.randn(number, dim, generator=generator) @ mix + mean


def make_speech(lengths, seed=0):
    """Tones in noise, zero after the end of each utterance."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(max(lengths)) / 16000
    pitch = 100 + 400 * torch.rand(len(lengths), 1, generator=generator)
    speech = 0.3 * torch.sin(2 * math.pi * pitch * time)
    speech += 0.05 * torch.randn(speech.shape, generator=generator)
    lengths = torch.tensor(lengths)
    padding = torch.arange(speech.shape[1]) >= lengths[:, None]
    return speech.masked_fill(padding, 0.0), lengths


def write_tables(folder, tables):
    """Write tables of a data folder: name of the file -> utterance -> value."""
    for name, table in tables.items():
        lines = (f"{utterance} {value}\n" for utterance, value in table.items())
        (folder / name).write_text("".join(lines))


def write_data(folder, lengths, **tables):
    """Write recordings, a ``wav.scp`` of them and the ``shape`` of each.

    Args:
        folder: Must exist.
        lengths: Of the recordings, in samples.
        **tables: Name of a further table -> its values.

    Returns:
        Path of the ``wav.scp``, whose names are utt0, utt1 and so on.
    """
    paths = [folder / f"{i}.wav" for i in range(len(lengths))]
    for i, (path, length) in enumerate(zip(paths, lengths)):
        soundfile.write(path, make_speech([length], seed=i)[0][0].numpy(), 16000)
    names = [f"utt{i}" for i in range(len(lengths))]
    columns = {"wav.scp": paths, "shape": lengths, **tables}
    write_tables(folder, {key: dict(zip(names, own)) for key, own in columns.items()})
    return folder / "wav.scp"


def make_features(**overrides):
    conf = dict(num_mels=NUM_MELS, griffin_lim_iterations=4)
    return build_features("log_mel", **{**conf, **overrides})


def make_transformer(**overrides):
    return sharpen(Transformer(**{**TRANSFORMER, **overrides}))


def make_encoder(input_dim=NUM_MELS, **overrides):
    conf = {**TRANSFORMER, "dropout": 0.0, **overrides}
    return sharpen(Encoder(input_dim, **conf))


def make_teacher(student=None, **overrides):
    conf = dict(ema_decay=0.8, ema_end_decay=0.9, anneal_steps=4)
    return EMATeacher(student or make_transformer(), **{**conf, **overrides})


def make_codebook(**overrides):
    conf = dict(num_codebooks=2, codebook_size=8, dim=4, codebook_decay=0.75)
    return OnlineCodebook(**{**conf, **overrides})


def make_dinosr(encoder=None, **overrides):
    conf = dict(num_codebooks=2, codebook_size=16, ema_decay=0.9, anneal_steps=10)
    objective = DinoSR(encoder or make_encoder(), **{**conf, **overrides})
    sharpen(objective.heads)
    return objective


def make_decoder(feature_dim=NUM_MELS, condition_dim=DIM, **overrides):
    conf = dict(num_layers=4, embed_dim=DIM, num_heads=4, ffn_dim=48, position="rotary")
    return fit(
        sharpen(FlowDecoder(feature_dim, condition_dim, **{**conf, **overrides}))
    )


def fit(decoder):
    """Precondition an untrained decoder as its first batch would."""
    decoder.precondition.fit(make_frames(dim=len(decoder.precondition.mean)))
    return decoder


def make_flow_matching(encoder=None, **overrides):
    decoder = dict(num_layers=2, num_heads=4, ffn_dim=48, position="rotary")
    encoder = encoder or make_encoder()
    return FlowMatching(encoder, **{"decoder": decoder, **overrides})


def make_config(**overrides):
    """Configuration of a tiny ``UniWav``."""
    config = {
        "features": dict(
            name="log_mel", frame_rate=50, num_mels=NUM_MELS, sample_rate=16000
        ),
        "encoder": dict(TRANSFORMER),
        "decoder": dict(num_layers=2, num_heads=4, ffn_dim=48, position="rotary"),
    }
    return {**config, **overrides}


def make_model(**overrides):
    model = sharpen(UniWav.from_config(make_config(**overrides))).eval()
    if model.decoder is not None:
        fit(model.decoder)
    return model


def save_model(folder, **overrides):
    """Save a tiny ``UniWav`` as a checkpoint, and return it."""
    model = make_model(**overrides)
    save_checkpoint(model, make_config(**overrides), folder)
    return model


def make_synthesizer(token_list=tuple("01234567"), visible_only=False, **overrides):
    """A tiny ``SynthesizerNetwork`` that has seen all its tokens."""
    torch.manual_seed(0)
    model = make_model(encoder=dict(TRANSFORMER, visible_only=visible_only))
    synthesizer = SynthesizerNetwork(model, token_list, dropout=0.0, **overrides)
    synthesizer.known_tokens.fill_(True)
    return synthesizer.eval()


def train_steps(step, parameters, number, lr):
    """Losses of some steps of Adam, of ``step(i)`` each."""
    optimizer, losses = torch.optim.Adam(parameters, lr), []
    for i in range(number):
        loss = step(i)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


class Canary:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


class GivenMask(nn.Module):
    """In place of ``SpanMask``: the mask that a test sets."""

    def forward(self, lengths, num_frames):
        return self.mask


def make_pretraining(visible_only=False, num_views=1, **overrides):
    """Encoder and DinoSR, with masks that ``masked_loss`` gives."""
    encoder = make_encoder(visible_only=visible_only)
    objectives = {"dinosr": make_dinosr(encoder, **overrides)}
    return Pretraining(
        make_features(), encoder, objectives, GivenMask(), Perturb(), num_views
    )


def masked_loss(model, x, mask, wrapped=None):
    """Of (B, T, F) frames and (V * B, T) masks of V views; a wrapped model may run."""
    model.span_mask.mask = mask
    return (wrapped or model)(x, torch.full((len(x),), x.shape[1]))[0]


def make_batch(**fields):
    """What an objective reads of a batch; the rest is None."""
    names = (field.name for field in dataclasses.fields(MaskedBatch))
    return MaskedBatch(**{**dict.fromkeys(names), **fields})


def dinosr_batch(embedded, hidden_states, padding_mask, masked, ffn_outputs=None):
    """What ``DinoSR`` reads of a batch."""
    return make_batch(
        embedded=embedded,
        hidden_states=hidden_states,
        padding_mask=padding_mask,
        masked=masked,
        ffn_outputs=ffn_outputs,
    )


def flow_batch(features, hidden_states, padding_mask, mask):
    """What ``FlowMatching`` reads of a batch."""
    return make_batch(
        features=features,
        hidden_states=hidden_states,
        padding_mask=padding_mask,
        mask=mask,
    )
