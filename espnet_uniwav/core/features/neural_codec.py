"""Neural codecs: x is the quantiser's input, the codec's decoder is the vocoder."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from typeguard import typechecked

from espnet_uniwav.core.features.base import AbsFeatures, FeatureSpec, per_dim
from espnet_uniwav.io.folder import find_local, load_weights, read_config
from espnet_uniwav.io.hub import at_revision

# Networks (see ``CodecNetwork``) by name; those of other frameworks are in adapters.
NETWORKS = {
    "encodec": "espnet_uniwav.core.features.encodec:EncodecNetwork",
    "espnet": "espnet_uniwav.integrations.espnet.codec:ESPnetCodecNetwork",
}


class CodecNetwork(nn.Module):
    """Interface of a codec for ``NeuralCodec``.

    Attributes:
        sample_rate: Samples per second (Hz).
        hop_length: Samples per frame.
        dim: Width F of the latents.
        context: Largest number of samples after a frame that it depends on.
    """

    sample_rate: int
    hop_length: int
    dim: int
    context: int

    def encode(self, speech: Tensor) -> Tensor:
        """Map (B, 1, S) samples to (B, F, ceil(S / hop)) latents."""
        raise NotImplementedError

    def decode(self, latents: Tensor) -> Tensor:
        """Map (B, F, T) latents to (B, 1, T * hop) samples."""
        raise NotImplementedError


class NeuralCodec(AbsFeatures):
    """The dense latents of a frozen codec, normalised (paper, section 4).

    Every model that is trained on a codec includes its weights. They are loaded from
    ``checkpoint``, or with the weights of that model.

    Args:
        checkpoint: Folder of ``uniwav codec``, or of a model that was trained on such
            features; sets all following arguments.
        codec: Name of the network: ``encodec`` (Hugging Face's) or ``espnet``.
        architecture: Arguments of the network.
        sample_rate: Samples per second (Hz); must be the codec's.
        mean: Mean of the latents: one value, or F of them.
        std: Standard deviation of the latents: one value, or F of them.
        checksum: Checksum of the weights, so that another codec is refused.

    Raises:
        FileNotFoundError: If the folder is missing and no architecture is given.
        ValueError: If the sample rate is not the codec's.
    """

    has_checkpoint = True
    local_arguments = ("checkpoint",)

    @typechecked
    def __init__(
        self,
        checkpoint: str | Path | None = None,
        codec: str | None = None,
        architecture: dict | None = None,
        sample_rate: int | None = None,
        mean: float | Sequence[float] = 0.0,
        std: float | Sequence[float] = 1.0,
        checksum: str = "",
    ):
        super().__init__()
        if architecture is None:
            found = read_codec(checkpoint)
            codec, architecture = found["codec"], found["architecture"]
            mean, std, checksum = found["mean"], found["std"], found["checksum"]
        self.network = build_network(codec, architecture)
        self.has_weights = False
        folder = None if checkpoint is None else find_local(checkpoint)
        if folder is not None:
            load_weights(self.network, folder, ("network.", "features.network."))
            self.has_weights = True
        if sample_rate not in (None, self.network.sample_rate):
            raise ValueError(
                f"the codec works at {self.network.sample_rate} Hz, found fs of "
                f"{sample_rate}: resample the data and set fs"
            )
        dim = self.network.dim
        self.spec = FeatureSpec(
            name="neural_codec",
            sample_rate=self.network.sample_rate,
            hop_length=self.network.hop_length,
            dim=dim,
            mean=per_dim(mean, dim, "mean"),
            std=per_dim(std, dim, "std"),
            conf=dict(codec=codec, architecture=architecture, checksum=checksum),
        )
        self.requires_grad_(False).eval()

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, revision: str | None = None
    ) -> NeuralCodec:
        """Load a folder of ``uniwav codec``, by its path or name; see ``load``."""
        return cls(at_revision(folder, revision))

    def train(self, mode: bool = True) -> NeuralCodec:
        """Stay in evaluation mode: the codec is frozen."""
        return super().train(False)

    def analyse(self, speech: Tensor) -> Tensor:
        """Map (B, S) samples to (B, ceil(S / hop), F) latents.

        Silence is appended over the receptive field of a frame, so neither the batch
        nor its padding changes a frame.
        """
        self._require_weights()
        frames = self.spec.num_frames(speech.shape[1])
        wanted = frames * self.spec.hop_length + self.network.context
        speech = nn.functional.pad(speech, (0, wanted - speech.shape[1]))
        return self.network.encode(speech[:, None])[..., :frames].transpose(1, 2)

    def synthesise(self, raw: Tensor) -> Tensor:
        """Map (B, T, F) latents to (B, T * hop) samples."""
        self._require_weights()
        speech = self.network.decode(raw.transpose(1, 2)).squeeze(1)
        return speech[:, : raw.shape[1] * self.spec.hop_length]

    def _require_weights(self) -> None:
        if not self.has_weights:
            raise RuntimeError(
                "the weights of this codec were not loaded: name an existing folder "
                "of `uniwav codec` in features_conf: {checkpoint: FOLDER}"
            )

    def _load_from_state_dict(self, state_dict, prefix, *args):
        own = {prefix + name for name in self.state_dict()}
        self.has_weights = self.has_weights or own <= state_dict.keys()
        super()._load_from_state_dict(state_dict, prefix, *args)


def build_network(codec: str | None, architecture: dict) -> CodecNetwork:
    """Build an untrained codec network.

    Raises:
        ValueError: If the name is unknown.
    """
    if codec not in NETWORKS:
        raise ValueError(f"codec: expected one of {sorted(NETWORKS)}, found {codec!r}")
    module, name = NETWORKS[codec].split(":")
    return getattr(importlib.import_module(module), name)(**architecture)


def read_codec(checkpoint: str | None) -> dict:
    """Read the arguments of ``NeuralCodec`` from a folder of ``uniwav codec``.

    Raises:
        FileNotFoundError: If the folder is missing.
        ValueError: If no folder is given, or it holds no codec.
    """
    if checkpoint is None:
        raise ValueError(
            "features: neural_codec needs features_conf: {checkpoint: FOLDER}, a "
            "folder of `uniwav codec`"
        )
    try:
        config = read_config(checkpoint)["model"]
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}. Make a codec with `uniwav codec`") from error
    features = config.get("features", {})
    if features.get("name") != "neural_codec":
        found = f"features: {features['name']}" if features else ", ".join(config)
        raise ValueError(
            f"{checkpoint}: expected a folder of `uniwav codec`, found {found}"
        )
    return {key: value for key, value in features.items() if key != "name"}


def right_context(encoder: nn.Module, hop_length: int) -> int:
    """Samples after a frame within reach of the convolutions, in full frames."""
    reach, stride = 0, 1
    for layer in encoder.modules():
        if isinstance(layer, nn.Conv1d):
            reach += (layer.kernel_size[0] - 1) * layer.dilation[0] * stride
            stride *= layer.stride[0]
    return -(-reach // hop_length) * hop_length


def checksum(*networks: nn.Module) -> str:
    """Checksum of the weights of networks."""
    found = hashlib.sha256()
    for network in networks:
        for name, value in sorted(network.state_dict().items()):
            found.update(name.encode() + value.detach().cpu().numpy().tobytes())
    return found.hexdigest()[:16]


@torch.no_grad()
def measure_latents(
    network: CodecNetwork, speech: Iterable[Tensor]
) -> tuple[list[float], list[float]]:
    """Measure mean and standard deviation of every latent over a corpus.

    Args:
        network: The trained codec.
        speech: Samples (S,) of every utterance.

    Raises:
        ValueError: If there is no speech.
    """
    count, total, square = 0, 0.0, 0.0
    for own in speech:
        latents = network.encode(own[None, None])[0].double()
        count += latents.shape[1]
        total = total + latents.sum(1)
        square = square + latents.square().sum(1)
    if not count:
        raise ValueError("expected speech to measure the latents on, found none")
    mean = total / count
    std = (square / count - mean.square()).clamp(min=1e-12).sqrt()
    return mean.tolist(), std.tolist()
