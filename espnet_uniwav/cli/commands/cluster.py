"""Cluster the frames of a pre-trained model into a tokenizer.

OUT is a checkpoint whose codes are final, but for codewords that are `learned` with the
decoder. Its decoder does not know the codes yet: train it with `model:
uniwav_tokenizer` (recipe token1).

examples:
  uniwav cluster CHECKPOINT data/train/wav.scp OUT --layer 6 --num_codebooks 2
  uniwav cluster small data/train/wav.scp OUT --layer learned --num_codebooks 4 \
      --frames_per_code 2 --speaker_code_length 32
"""

from __future__ import annotations

import argparse
from pathlib import Path

from espnet_uniwav.cli.command import make_parser, run_command
from espnet_uniwav.cli.options import add_seed
from espnet_uniwav.io.units import count

WORK = "espnet_uniwav.apps.tokenizer.cluster:cluster"


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = make_parser("cluster", __doc__)
    add = parser.add_argument
    add("checkpoint", type=Path, help="folder of `uniwav export`, or a name")
    add("wav_scp", type=Path, help="table of names and audio files")
    add("output", type=Path, help="checkpoint to write")
    add("--layer", type=_layer, required=True, help="a state, `features` or `learned`")
    add("--num_codebooks", type=int, default=1, help="0: no codes, as a control")
    add("--codebook_size", type=int, default=1024, help="codewords of each")
    add("--num_axes", type=int, default=64, help="whitened axes of the state")
    add(
        "--frames_per_code",
        type=int,
        default=1,
        help="`learned`: frames that share a code",
    )
    add(
        "--speaker_code_length",
        type=int,
        default=0,
        help="`learned`: digits of the speaker code, of two bits each",
    )
    add(
        "--semantic_layer",
        type=int,
        help="`learned`: the first codebook clusters this state",
    )
    add("--decoder", type=Path, help="checkpoint with the decoder's architecture")
    add(
        "--random_weights",
        action="store_true",
        help="of the architecture alone: the control of what pre-training is worth",
    )
    add(
        "--max_frames",
        type=count,
        default=400000,
        help="frames at most; more are thinned",
    )
    add_seed(parser)
    return parser


def _layer(text: str) -> int | str:
    return int(text) if text.isdigit() else text


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), WORK, cmd)


if __name__ == "__main__":
    main()
