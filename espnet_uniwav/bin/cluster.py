"""Make a tokenizer of a pre-trained model: cluster its frames into codebooks."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from espnet_uniwav.command import run_command
from espnet_uniwav.kaldi import read_data_folder

DESCRIPTION = """\
OUT gets a checkpoint whose codes are final. Its decoder still expects z instead of
their embeddings: train it with `model: uniwav_tokenizer` (see the token1 recipe).
"""


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="uniwav cluster",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("checkpoint", type=Path, help="folder or name")
    add("wav_scp", type=Path, help="table of names and audio files")
    add("output", type=Path, help="checkpoint to write")
    add("--layer", type=_layer, required=True, help="a state's number, or `features`")
    add("--num_codebooks", type=int, default=1, help="0: no codes, as a control")
    add("--codebook_size", type=int, default=1024)
    add(
        "--normalise",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="the state over every utterance, which hides who speaks",
    )
    add("--num_axes", type=int, default=64, help="of the state, whitened")
    add(
        "--readout_weight",
        type=float,
        default=1.0,
        help="of what z says about the features, in the first codebook too",
    )
    add("--decoder", type=Path, help="checkpoint whose decoder's architecture to take")
    add("--max_frames", type=int, default=400000, help="thin the frames to so many")
    add("--seed", type=int, default=0, help="of the clusters")
    return parser


def cluster(args: argparse.Namespace) -> str:
    """Cluster and write as the arguments say.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    import torch
    from tqdm import tqdm

    from espnet_uniwav.audio import read_speech, seconds_of
    from espnet_uniwav.checkpoint import save_checkpoint
    from espnet_uniwav.tokenizer.fit import describe_usage, fit_tokenizer
    from espnet_uniwav.tokenizer.tokenizer import UniWavTokenizer

    model, config = load_with_decoder(args.checkpoint, args.decoder)
    conf = dict(
        layer=args.layer,
        num_codebooks=args.num_codebooks,
        codebook_size=args.codebook_size,
        normalise=args.normalise,
        num_axes=args.num_axes,
        readout_weight=args.readout_weight,
    )
    tokenizer = UniWavTokenizer(model, **conf).eval()
    utterances = read_data_folder(args.wav_scp)
    usage = []
    if tokenizer.num_codebooks:
        seconds = sum(seconds_of(u.path) for u in utterances)
        step = math.ceil(seconds * tokenizer.frame_rate / args.max_frames)
        speech = (
            torch.from_numpy(read_speech(u.path, tokenizer.sample_rate))
            for u in tqdm(utterances, desc="cluster", unit="utt", disable=None)
        )
        codes = fit_tokenizer(tokenizer, speech, step, args.seed)
        usage.append(describe_usage(codes, args.codebook_size))
    about = {"checkpoint": str(args.checkpoint), "wav_scp": str(args.wav_scp)}
    save_checkpoint(tokenizer, {**config, "tokenizer": conf}, args.output, about)
    return "; ".join([f"{args.output}: {tokenizer.extra_repr()}", *usage])


def load_with_decoder(checkpoint: Path, decoder: Path | None):
    """A model and its configuration, with an untrained decoder if one is named.

    Raises:
        FileNotFoundError, ValueError: If a checkpoint is missing or broken.
    """
    from espnet_uniwav.checkpoint import load_checkpoint
    from espnet_uniwav.model import UniWav
    from espnet_uniwav.storage import read_config

    model, config = load_checkpoint(checkpoint), read_config(checkpoint)["model"]
    if decoder is not None:
        other = read_config(decoder)["model"]
        config = {
            **config,
            **{k: other[k] for k in ("decoder", "kept_frames") if k in other},
        }
        trained = model
        model = UniWav.from_config(config)
        model.features, model.encoder = trained.features, trained.encoder
    return model, config


def _layer(text: str) -> int | str:
    return int(text) if text.isdigit() else text


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), cluster, cmd)


if __name__ == "__main__":
    main()
