"""What is measured: a model, its optimiser and one training step, on equal audio."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from espnet_uniwav.io.audio import SAMPLE_RATE, read_speech
from espnet_uniwav.io.config import resolve

CONV_LAYERS = [(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512, 2, 2)] * 2
HEAD_DIM = 64
AUTOCAST = {"fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Setting:
    """What all systems share.

    Args:
        size: Layers x width of the encoder, ``6x384``; heads are 64 wide, the FFN four
            times the width.
        batch: Utterances per step.
        seconds: Length of each utterance.
        conf: Recipe of our model (yaml), whose sizes are replaced.
        device: ``cpu`` or ``cuda``.
        dtype: ``fp32``, or ``fp16`` or ``bf16`` (autocast).
        num_classes: Labels of the HuBERT routes.
        wav: Files (16 kHz) to cut the audio from; none means speech-like noise.
        seed: Seed of audio, labels, masks and weights.
        threads: Threads of torch (set by the process, as ``malloc`` is).
        malloc: ``tuned`` or ``default``.
    """

    size: str
    batch: int
    seconds: float
    conf: str
    device: str = "cpu"
    dtype: str = "fp32"
    num_classes: int = 100
    wav: tuple[str, ...] = ()
    seed: int = 0
    threads: int | None = None
    malloc: str = "default"

    @property
    def num_layers(self) -> int:
        return int(self.size.split("x")[0])

    @property
    def embed_dim(self) -> int:
        return int(self.size.split("x")[1])

    @property
    def num_heads(self) -> int:
        return self.embed_dim // HEAD_DIM

    @property
    def ffn_dim(self) -> int:
        return 4 * self.embed_dim

    def recipe(self) -> dict:
        """Read ``conf`` with its includes."""
        return resolve(self.conf)

    @property
    def num_samples(self) -> int:
        return round(self.seconds * SAMPLE_RATE)

    @property
    def num_conv_frames(self) -> int:
        """Frames that the wav2vec 2.0 convolutions make of one utterance."""
        length = self.num_samples
        for _, kernel, stride in CONV_LAYERS:
            length = (length - kernel) // stride + 1
        return length


class System:
    """A model, its optimiser and one training step.

    Args:
        setting: Equal for all systems.
        **options: Of this system.
    """

    countable = True  # by torch's counter, which knows no FFT
    num_views = 1  # of the audio in a step; speed is given per view

    def __init__(self, setting: Setting, **options):
        self.options = options
        self.set_audio(setting)
        self.model = self.build().to(setting.device).train()
        weights = [p for p in self.model.parameters() if p.requires_grad]
        self.num_parameters = sum(p.numel() for p in weights)
        self.optimizer = None
        if weights:
            self.optimizer = torch.optim.AdamW(weights, lr=1e-4, fused=True)
        scaled = setting.dtype == "fp16"
        self.scaler = torch.amp.GradScaler(setting.device, enabled=scaled)

    def set_audio(self, setting: Setting) -> None:
        """Make the audio of the next steps, as a setting says."""
        self.setting = setting
        self.speech = make_audio(setting).to(setting.device)
        self.lengths = torch.full((setting.batch,), setting.num_samples)
        self.lengths = self.lengths.to(setting.device)

    @property
    def audio_seconds(self) -> float:
        """Seconds of audio in a step."""
        return self.setting.batch * self.setting.seconds * self.num_views

    def build(self) -> torch.nn.Module:
        """Build the model with the library's own function."""
        raise NotImplementedError

    def draw(self) -> dict:
        """Draw what a data loader would return; this is not timed."""
        return {}

    def loss(self, **batch) -> torch.Tensor:
        """Compute the training loss (a scalar)."""
        raise NotImplementedError

    def step(self, batch: dict) -> torch.Tensor:
        """Take one training step: forward, backward, AdamW; fp16 scales the loss."""
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(
            self.speech.device.type,
            dtype=AUTOCAST.get(self.setting.dtype),
            enabled=self.setting.dtype in AUTOCAST,
        ):
            loss = self.loss(**batch)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.detach()

    def random_labels(self) -> torch.Tensor:
        shape = (self.setting.batch, self.setting.num_conv_frames)
        return torch.randint(
            self.setting.num_classes, shape, device=self.setting.device
        )


def build_espnet_model(**conf) -> torch.nn.Module:
    """Build a model through the stock SSL task, as ``espnet2.bin.ssl_train`` does."""
    from espnet2.tasks.ssl import SSLTask

    args = SSLTask.get_parser().parse_args([])
    for name, value in conf.items():
        setattr(args, name, value)
    return SSLTask.build_model(args)


def make_audio(setting: Setting) -> torch.Tensor:
    """Make the input batch of all systems, shape (B, S)."""
    total = setting.batch * setting.num_samples
    if setting.wav:
        files = [read_speech(path, SAMPLE_RATE) for path in setting.wav]
        audio = np.resize(np.concatenate(files), total)
    else:
        audio = speech_like_noise(total, np.random.default_rng(setting.seed))
    return torch.from_numpy(audio.astype(np.float32)).view(setting.batch, -1)


def speech_like_noise(num_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Make noise with a falling spectrum and four swells a second."""
    spectrum = np.fft.rfft(rng.standard_normal(num_samples))
    hertz = np.fft.rfftfreq(num_samples, 1 / SAMPLE_RATE)
    noise = np.fft.irfft(spectrum / (1 + hertz / 500), num_samples)
    swell = 1 + np.sin(2 * np.pi * 4 * np.arange(num_samples) / SAMPLE_RATE)
    return 0.05 * noise / noise.std() * swell
