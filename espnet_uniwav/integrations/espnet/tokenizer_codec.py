"""ESPnet2 adapter for speech tokens: ``codec: uniwav`` of the GAN codec task."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from espnet2.gan_codec.abs_gan_codec import AbsGANCodec
from torch import Tensor, nn
from typeguard import typechecked

from espnet_uniwav.apps.tokenizer.tokenizer import PACKAGED, UniWavTokenizer
from espnet_uniwav.apps.vocoder import use_vocoder
from espnet_uniwav.integrations.espnet.extend import extend
from espnet_uniwav.io.audio import read_speech


class UniWavCodec(AbsGANCodec):
    """``codec: uniwav``: a trained tokenizer as a codec of ESPnet, for inference.

    Args:
        checkpoint: Folder or name of a tokenizer.
        prompt: Recording of the voice to decode in; None: nobody's in particular, if
            the codes are learned, as they hold little of the voice.
        vocoder: Folder or name of a vocoder, see ``vocoder.use_vocoder``.
    """

    @typechecked
    def __init__(
        self,
        checkpoint: str | Path = PACKAGED,
        prompt: str | Path | None = None,
        vocoder: str | Path | None = None,
    ):
        super().__init__()
        # ESPnet requires both names.
        self.generator = UniWavTokenizer.from_pretrained(checkpoint)
        self.discriminator = nn.Module()
        self.fs = self.generator.sample_rate
        self.prompt = None if prompt is None else read_speech(prompt, self.fs)
        self.vocoder = vocoder

    @staticmethod
    def adapt_task(task: type) -> None:
        """Make a task refuse the training of this codec, before it reads data.

        Args:
            task: ESPnet's GAN codec task. A second call has no effect.
        """
        extend(task, "build_optimizers", _build_optimizers)

    def meta_info(self) -> dict:
        """Properties that ESPnet's tokenisation of audio needs."""
        tokenizer = self.generator
        return {
            "fs": self.fs,
            "num_streams": tokenizer.num_codebooks,
            "frame_shift": round(self.fs / tokenizer.frame_rate),
            "code_size_per_stream": [tokenizer.codebook_size] * tokenizer.num_codebooks,
        }

    def forward(self, *args, **kwargs):
        """Raise NotImplementedError: this codec is trained elsewhere."""
        raise NotImplementedError(
            "codec: uniwav is for inference: train the tokenizer with "
            "espnet2.bin.ssl_train and model: uniwav_tokenizer (recipe token1), and "
            "name its checkpoint in codec_conf"
        )

    def encode(self, x: Tensor) -> Tensor:
        """Samples (B, 1, S) to codes (K, B, N)."""
        return self.generator.encode(x.flatten(0, 1)).transpose(0, 1)

    def decode(self, x: Tensor) -> Tensor:
        """Codes (K, B, N) to (B, 1, S) samples; learned codes may be the first few."""
        if self.generator.features.vocoder is None:
            use_vocoder(self.generator.features, self.vocoder)
        codes = torch.as_tensor(x).transpose(0, 1)
        return self.generator.decode(codes, prompt=self.prompt)[:, None]


def _build_optimizers(build: Callable, args: argparse.Namespace, model):
    """Refuse our codec, or build as the task does."""
    if isinstance(model.codec, UniWavCodec):
        model.codec()
    return build(args, model)
