"""Make a feature space of a neural codec."""

from __future__ import annotations

import argparse
from pathlib import Path

from espnet_uniwav.command import run_command
from espnet_uniwav.kaldi import read_data_folder, spread

DESCRIPTION = """\
SOURCE is an experiment of ESPnet's gan_codec_train (encodec, soundstream), or EnCodec
of Hugging Face (a folder, or a name on the hub such as facebook/encodec_24khz). OUT
gets the codec without its quantiser, and mean and variance of its latents.
Then: frontend: uniwav, features: neural_codec, features_conf: {checkpoint: OUT}.
"""


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="uniwav codec",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", help="experiment, folder, or name on the hub")
    parser.add_argument("wav_scp", type=Path, help="table of names and audio files")
    parser.add_argument("output", type=Path, help="folder to write")
    parser.add_argument(
        "--model_file", default="latest.pth", help="of an ESPnet experiment"
    )
    parser.add_argument("--num_utterances", type=int, help="to measure on; default all")
    return parser


def codec(args: argparse.Namespace) -> str:
    """Convert, measure and write as the arguments say.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    import torch
    from tqdm import tqdm

    from espnet_uniwav.audio import read_speech
    from espnet_uniwav.checkpoint import save_features
    from espnet_uniwav.features import NeuralCodec
    from espnet_uniwav.features.neural_codec import (
        build_network,
        checksum,
        measure_latents,
    )
    from espnet_uniwav.storage import load_strictly

    name, architecture, weights = read_source(args.source, args.model_file)
    network = build_network(name, architecture).eval()
    load_strictly(network, weights, args.source)
    utterances = spread(read_data_folder(args.wav_scp), args.num_utterances)
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
    load_strictly(features.network, network.state_dict(), args.source)
    about = {"source": args.source, "wav_scp": str(args.wav_scp)}
    save_features(features, args.output, about)
    spec = features.spec
    return (
        f"{args.output}: {spec.dim} latents at {spec.frame_rate:g} Hz of speech at "
        f"{spec.sample_rate} Hz, measured on {len(utterances)} utterances"
    )


def read_source(source: str, model_file: str):
    """Name of the network, its arguments and its weights.

    Raises:
        ValueError, OSError: If there is no such codec.
    """
    from espnet_uniwav.features.encodec import read_encodec
    from espnet_uniwav.tasks.codec import read_experiment

    if (Path(source) / "config.yaml").is_file():
        return "espnet", *read_experiment(Path(source), model_file)
    return "encodec", *read_encodec(source)


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), codec, cmd)


if __name__ == "__main__":
    main()
