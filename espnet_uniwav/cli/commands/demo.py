"""Try the models on a page in the browser.

The page speaks texts, fills gaps, replaces words, encodes to tokens and back, and shows
spectrograms, codes and layer weights. Needs the extra demo:
pip install "espnet_uniwav[demo]".

Of every kind of model that no option names, a packaged one is used, if there is one:
the default of the other commands before others. A tab without a model says which option
it needs.

Only this machine reaches the page, unless --host or --share is given, and it loads
nothing from elsewhere. Recordings are deleted when the command ends.

examples:
  uniwav demo
  uniwav demo --tts MODEL --tokenizer TOKENIZER --vocoder VOCODER
"""

from __future__ import annotations

import argparse
from pathlib import Path

from espnet_uniwav.cli.command import make_parser, run_command
from espnet_uniwav.cli.options import add_checkpoint, add_device, add_vocoder
from espnet_uniwav.io.units import seconds

WORK = "espnet_uniwav.lab.demo.server:serve"


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = make_parser("demo", __doc__)
    add_checkpoint(parser, required=False)
    parser.add_argument(
        "--tts",
        type=Path,
        metavar="MODEL",
        help="model fine-tuned to speak: as --model of `uniwav tts`",
    )
    parser.add_argument(
        "--tokenizer",
        type=Path,
        action="append",
        help="checkpoint of a tokenizer; repeat the option for more rates",
    )
    parser.add_argument(
        "--max_seconds", type=seconds, default=60.0, help="longest recording"
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at; 0.0.0.0 lets the whole network in",
    )
    parser.add_argument(
        "--port", type=int, help="its port (default: the first free one from 7860 on)"
    )
    parser.add_argument(
        "--share",
        action="store_true",
        help="make a public address, through a server of Gradio's",
    )
    add_vocoder(parser)
    add_device(parser)
    return parser


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), WORK, cmd)


if __name__ == "__main__":
    main()
