"""Convert a neural codec to a feature space.

SOURCE is an experiment of ESPnet's gan_codec_train (encodec, soundstream), or EnCodec
from Hugging Face (a folder, or a name on the hub such as facebook/encodec_24khz). The
codec without its quantiser, and mean and variance of its latents, are written to OUT.
Then: frontend: uniwav, features: neural_codec, features_conf: {checkpoint: OUT}.

examples:
  uniwav codec facebook/encodec_24khz data/train/wav.scp OUT --num_utterances 500
"""

from __future__ import annotations

import argparse
from pathlib import Path

from espnet_uniwav.cli.command import make_parser, run_command
from espnet_uniwav.cli.options import add_num_utterances

WORK = "espnet_uniwav.integrations.espnet.codec:codec"


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = make_parser("codec", __doc__)
    parser.add_argument("source", help="experiment, folder, or name on the hub")
    parser.add_argument("wav_scp", type=Path, help="table of names and audio files")
    parser.add_argument("output", type=Path, help="folder to write")
    parser.add_argument(
        "--model_file", default="latest.pth", help="saved model in the experiment"
    )
    add_num_utterances(parser)
    return parser


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), WORK, cmd)


if __name__ == "__main__":
    main()
