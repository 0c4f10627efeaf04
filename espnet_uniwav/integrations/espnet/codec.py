"""ESPnet2 adapter for neural codecs: GAN codec experiments as features."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from espnet_uniwav.core.checkpoint import save_features
from espnet_uniwav.core.features.encodec import read_encodec
from espnet_uniwav.core.features.neural_codec import (
    CodecNetwork,
    NeuralCodec,
    build_network,
    checksum,
    measure_latents,
    right_context,
)
from espnet_uniwav.io.audio import read_speech
from espnet_uniwav.io.folder import load_strictly
from espnet_uniwav.io.input import error_context, read_yaml
from espnet_uniwav.io.kaldi import read_data_folder, thin_by_speaker
from espnet_uniwav.io.output import check_output
from espnet_uniwav.io.saved import read_state

KINDS = ("encodec", "soundstream")


class ESPnetCodecNetwork(CodecNetwork):
    """Encoder and decoder of ESPnet's SoundStream and EnCodec, without a quantiser.

    Args:
        sampling_rate: Samples per second (Hz).
        **generator: ``generator_params`` of the codec.

    Raises:
        ValueError: If a norm spans the utterance, so that padding would matter.
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
    """Read architecture and weights of a codec trained with ``gan_codec_train``.

    Args:
        experiment: ESPnet's output_dir, with config.yaml.
        model_file: File name of the saved model in the experiment.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If the codec is of another kind.
    """
    config, model = experiment / "config.yaml", experiment / model_file
    for path in (config, model):
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: name an ESPnet output_dir")
    args = read_yaml(config)
    if args.get("codec") not in KINDS:
        raise ValueError(
            f"{config}: expected codec: {' or '.join(KINDS)}, found {args.get('codec')}"
        )
    with error_context(config):
        conf = args["codec_conf"]
        architecture = dict(conf.get("generator_params", {}))
        architecture.pop("sample_rate", None)  # ESPnet adds it to what it saves
        architecture["sampling_rate"] = conf.get("sampling_rate", 24000)
    state = read_state(model)
    prefix = "codec.generator."
    wanted = (prefix + "encoder.", prefix + "decoder.")
    weights = {
        k.removeprefix(prefix): v for k, v in state.items() if k.startswith(wanted)
    }
    return architecture, weights


def codec(
    source: str,
    wav_scp: str | Path,
    output: str | Path,
    model_file: str = "latest.pth",
    num_utterances: int | None = None,
) -> str:
    """Convert a neural codec to a feature space, and measure its latents.

    Args:
        source: Experiment of ``gan_codec_train``; or EnCodec: a folder, or a name on
            Hugging Face's hub.
        wav_scp: Table of names and audio files.
        output: Folder to write.
        model_file: Saved model in the experiment.
        num_utterances: Number of utterances, evenly spread; None: all.

    Returns:
        What was done, in one line.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    check_output(output, folder=True)
    name, architecture, weights = read_source(source, model_file)
    with error_context(source):
        network = build_network(name, architecture).eval()
    load_strictly(network, weights, source)
    utterances = thin_by_speaker(read_data_folder(wav_scp), num_utterances)
    speech = (
        torch.from_numpy(read_speech(u.path, network.sample_rate))
        for u in tqdm(utterances, desc="codec", unit="utt", disable=None)
    )
    mean, std = measure_latents(network, speech)
    features = NeuralCodec(
        codec=name,
        architecture=architecture,
        mean=mean,
        std=std,
        checksum=checksum(network),
    )
    load_strictly(features.network, network.state_dict(), source)
    save_features(features, output, {"source": str(source), "wav_scp": str(wav_scp)})
    spec = features.spec
    return (
        f"{output}: {spec.dim} latents at {spec.frame_rate:g} Hz of speech at "
        f"{spec.sample_rate} Hz, measured on {len(utterances)} utterances"
    )


def read_source(source: str, model_file: str) -> tuple[str, dict, dict[str, Tensor]]:
    """Read a codec's network name, arguments and weights.

    Raises:
        ValueError, OSError: If there is no such codec.
    """
    if (Path(source) / "config.yaml").is_file():
        return "espnet", *read_experiment(Path(source), model_file)
    with error_context(source):
        return "encodec", *read_encodec(source)
