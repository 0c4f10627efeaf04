"""Lyra v2's SoundStream (Google, Apache-2.0): latents and their decoder, on the CPU.

Zeghidour et al. 2022 (SoundStream); github.com/google/lyra, version 1.3.2. Latents are
taken before the quantiser and given to the decoder as they are.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from typeguard import typechecked

from espnet_uniwav.core.features.base import AbsFeatures, FeatureSpec
from espnet_uniwav.io.download import Archive, DownloadError, check, download
from espnet_uniwav.io.output import locked

SAMPLE_RATE, HOP_LENGTH, DIM = 16000, 320, 64
FOLDER = "UNIWAV_LYRA"  # environment variable
CACHE = "~/.cache/espnet_uniwav/lyra"
MIRRORS = (
    "https://raw.githubusercontent.com/google/lyra/"
    "47698dadf0010abff6a848e02642f55f806d4842",
)
ENCODER = Archive(
    "lyra/model_coeffs/soundstream_encoder.tflite",
    1779200,
    "237da0b16226fb0a68d49551c81bebf614e42142af72764448359f68581e88f1",
)
DECODER = Archive(
    "lyra/model_coeffs/lyragan.tflite",
    1475160,
    "50e7839cda4f30599a3a34cfaddcd9c98449b049eee884e1a74295780448ad06",
)
# of the latents of 400 utterances of LibriSpeech (1.4 hours)
# fmt: off
MEAN = (
    -0.449, -1.44, 2.92, 0.798, -1.07, -8.4, -0.938, 4.71, -0.0722, -3.31, -1.3,
    2.6, -8.13, 3.83, -0.522, 0.781, -0.28, -0.00373, -0.224, 0.604, 0.195, -0.095,
    -0.42, -0.206, 0.238, -0.319, -0.145, -0.116, 0.117, -0.176, -0.138, 0.444,
    -0.689, 0.0975, -0.142, 0.0356, -2.55, -0.889, -1.51, -1.27, -0.389, -8.28,
    0.0493, -1.58, -0.142, 5.35, -0.0628, -4.31, 0.991, -2.48, 1.5, 0.939, 0.136,
    -5.62, 0.144, 0.877, -2.47, -1.14, -8.11, 3.15, -1.19, -3.29, 6.72, 0.799,
)
STD = (
    4.33, 6.04, 6.76, 4.44, 4.75, 5.0, 7.22, 6.69, 4.42, 4.54, 3.88, 5.94, 4.7,
    3.91, 4.68, 6.03, 4.03, 4.12, 3.74, 4.7, 3.93, 4.85, 4.67, 4.02, 3.83, 4.18,
    4.4, 3.96, 4.06, 4.33, 3.88, 4.67, 3.01, 3.08, 3.25, 7.59, 3.34, 3.38, 3.52,
    3.6, 4.04, 5.52, 3.23, 3.7, 2.96, 8.28, 3.1, 4.78, 3.77, 4.53, 4.02, 3.54, 3.56,
    5.87, 2.98, 3.31, 4.1, 4.3, 7.17, 7.15, 4.26, 4.24, 6.31, 4.63,
)
# fmt: on


class Lyra(AbsFeatures):
    """Latents of Lyra's SoundStream encoder, normalised: 64 values at 50 Hz.

    The networks are causal, so neither the batch nor its padding changes a frame. They
    are read when they are first used, and no checkpoint contains them: it names their
    checksums.

    Args:
        codec: Folder of ``soundstream_encoder.tflite`` and ``lyragan.tflite``; None:
            that of the environment variable ``UNIWAV_LYRA``, or they are downloaded
            once (3.3 MB) to ``~/.cache/espnet_uniwav/lyra``.
        sample_rate: Samples per second (Hz); must be 16,000.
        checksums: SHA-256 of encoder and decoder; those of this version.

    Raises:
        ValueError: If the sampling rate or the checksums are others.
    """

    local_arguments = ("codec",)

    @typechecked
    def __init__(
        self,
        codec: str | Path | None = None,
        sample_rate: int = SAMPLE_RATE,
        checksums: list[str] | None = None,
    ):
        super().__init__()
        if sample_rate != SAMPLE_RATE:
            raise ValueError(
                f"features: lyra work at {SAMPLE_RATE} Hz, found fs of {sample_rate}: "
                "resample the data and set fs: 16k"
            )
        own = [ENCODER.checksum, DECODER.checksum]
        if checksums not in (None, own):
            raise ValueError(
                f"features: lyra of Lyra 1.3.2 have the checksums {own}, found "
                f"{checksums}: this model was trained on another codec"
            )
        self.folder = codec
        self.spec = FeatureSpec(
            name="lyra",
            sample_rate=SAMPLE_RATE,
            hop_length=HOP_LENGTH,
            dim=DIM,
            mean=MEAN,
            std=STD,
            conf=dict(checksums=own),
        )

    def analyse(self, speech: Tensor) -> Tensor:
        """Map (B, S) samples to (B, ceil(S / 320), 64) latents."""
        frames = self.spec.num_frames(speech.shape[1])
        missing = frames * HOP_LENGTH - speech.shape[1]
        speech = torch.nn.functional.pad(speech, (0, missing))
        return self._run(ENCODER, speech.unflatten(1, (frames, HOP_LENGTH)))

    def synthesise(self, raw: Tensor) -> Tensor:
        """Map (B, T, 64) latents to (B, T * 320) samples."""
        return self._run(DECODER, raw).flatten(1).clamp(-1.0, 1.0)

    def _run(self, network: Archive, frames: Tensor) -> Tensor:
        """Frames (B, T, input) in order through a network, to (B, T, output)."""
        path = find_network(network, self.folder)
        batch = frames.detach().cpu().float().numpy()
        outputs = np.stack([_run_utterance(path, own) for own in batch])
        return torch.from_numpy(outputs).to(frames.device)


def _run_utterance(path: Path, frames: np.ndarray) -> np.ndarray:
    """Run a network, whose state is that of one utterance, over (T, input)."""
    network = _read_network(path)
    source = network.get_input_details()[0]
    target = network.get_output_details()[0]
    outputs = np.empty((len(frames), target["shape"].prod()), np.float32)
    for frame, output in zip(frames, outputs):
        network.set_tensor(source["index"], frame.reshape(source["shape"]))
        network.invoke()
        output[:] = network.get_tensor(target["index"]).ravel()
    return outputs


def _read_network(path: Path):
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise ImportError(
            "features: lyra need ai-edge-litert: pip install 'espnet-uniwav[lyra]'"
        ) from error
    network = Interpreter(str(path), num_threads=1)
    network.allocate_tensors()
    return network


def find_network(network: Archive, folder: str | Path | None = None) -> Path:
    """Find a network, or download it, and check it.

    Args:
        network: ``ENCODER`` or ``DECODER``.
        folder: See ``Lyra``.

    Raises:
        FileNotFoundError: If the folder lacks it.
        ValueError: If the file is another one.
        OSError: If it cannot be downloaded.
    """
    folder = folder or os.environ.get(FOLDER)
    return _find_network(network, None if folder is None else Path(folder))


@functools.lru_cache
def _find_network(network: Archive, folder: Path | None) -> Path:
    path = (folder or Path(CACHE).expanduser()) / network.name
    if folder is None and not path.is_file():
        return _download(network, path.parent)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: name a folder with the .tflite files of Lyra 1.3.2"
        )
    try:
        check(path, network)
    except ValueError as error:
        raise ValueError(f"{path}: {error}: take that of Lyra 1.3.2") from error
    return path


def _download(network: Archive, folder: Path) -> Path:
    """Download a network once, also if several processes want it."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder):
            return download(network, folder, MIRRORS)
    except DownloadError as error:
        raise OSError(
            f"features: lyra cannot be downloaded ({error}); name a folder with "
            f"{ENCODER.name} and {DECODER.name} of Lyra 1.3.2 in features_conf: "
            f"{{codec: FOLDER}} or {FOLDER}"
        ) from error
