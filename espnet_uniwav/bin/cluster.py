"""Cluster the frames of a pre-trained model: a tokenizer.

OUT gets a checkpoint whose codes are final. Its decoder still expects z instead of
their embeddings: train it with `model: uniwav_tokenizer` (see the token1 recipe).

examples:
  uniwav cluster CHECKPOINT data/train/wav.scp OUT --layer 6 --num_codebooks 2
"""

from __future__ import annotations

import argparse
from pathlib import Path

from espnet_uniwav.cli.command import make_parser, run_command
from espnet_uniwav.cli.options import add_seed
from espnet_uniwav.quantities.units import count

WORK = "espnet_uniwav.tokenizer.cluster:cluster"


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = make_parser("cluster", __doc__)
    add = parser.add_argument
    add("checkpoint", type=Path, help="folder of `uniwav export`, or a name")
    add("wav_scp", type=Path, help="table of names and audio files")
    add("output", type=Path, help="checkpoint to write")
    add("--layer", type=_layer, required=True, help="a state's number, or `features`")
    add("--num_codebooks", type=int, default=1, help="0: no codes, as a control")
    add("--codebook_size", type=int, default=1024, help="codewords of each")
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
    add("--max_frames", type=count, default=400000, help="thin the frames to so many")
    add_seed(parser)
    return parser


def _layer(text: str) -> int | str:
    return int(text) if text.isdigit() else text


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), WORK, cmd)


if __name__ == "__main__":
    main()
