"""ESPnet2's door to neural codecs: experiments of its GAN codec task as features."""

from __future__ import annotations

from pathlib import Path

import torch
import yaml
from torch import Tensor

from espnet_uniwav.features.neural_codec import CodecNetwork, right_context

KINDS = ("encodec", "soundstream")


class ESPnetCodecNetwork(CodecNetwork):
    """Encoder and decoder of ESPnet's SoundStream and EnCodec, without a quantiser.

    Args:
        sampling_rate: Samples per second (Hz).
        **generator: ``generator_params`` of the codec.

    Raises:
        ValueError: If a norm looks at whole utterances, so that padding would matter.
    """

    def __init__(self, sampling_rate: int, **generator):
        super().__init__()
        from espnet2.gan_codec.soundstream.soundstream import SoundStreamGenerator

        whole = SoundStreamGenerator(sample_rate=sampling_rate, **generator)
        norm = generator.get("encdec_norm", "weight_norm")
        if norm not in ("weight_norm", "spectral_norm", "none"):
            raise ValueError(f"encdec_norm: expected weight_norm, found {norm}")
        self.encoder, self.decoder = whole.encoder, whole.decoder
        self.sample_rate = sampling_rate
        self.hop_length = int(self.encoder.hop_length)
        self.dim = self.encoder.dimension
        self.context = right_context(self.encoder, self.hop_length)

    def encode(self, speech: Tensor) -> Tensor:
        """Map (B, 1, S) samples to (B, F, ceil(S / hop)) latents."""
        return self.encoder(speech)

    def decode(self, latents: Tensor) -> Tensor:
        """Map (B, F, T) latents to (B, 1, T * hop) samples."""
        return self.decoder(latents)


def read_experiment(
    experiment: Path, model_file: str
) -> tuple[dict, dict[str, Tensor]]:
    """Architecture and weights of a codec that ``gan_codec_train`` has trained.

    Args:
        experiment: ESPnet's output_dir, with config.yaml.
        model_file: Which saved model: a name inside the experiment.

    Raises:
        FileNotFoundError: If it has no such file.
        ValueError: If it holds a codec of another kind.
    """
    config, model = experiment / "config.yaml", experiment / model_file
    for path in (config, model):
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: name an ESPnet output_dir")
    args = yaml.safe_load(config.read_text(encoding="utf-8"))
    if args.get("codec") not in KINDS:
        raise ValueError(
            f"{config}: expected codec: {' or '.join(KINDS)}, found {args.get('codec')}"
        )
    conf = args["codec_conf"]
    architecture = dict(conf.get("generator_params", {}))
    architecture.pop("sample_rate", None)  # ESPnet adds it to what it saves
    architecture["sampling_rate"] = conf.get("sampling_rate", 24000)
    state = torch.load(model, map_location="cpu", weights_only=True)
    state = state.get("model", state)
    prefix = "codec.generator."
    wanted = (prefix + "encoder.", prefix + "decoder.")
    weights = {
        k.removeprefix(prefix): v for k, v in state.items() if k.startswith(wanted)
    }
    return architecture, weights
