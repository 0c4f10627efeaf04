"""Read texts aloud in the voice of a prompt.

The table of --lines has a header and the columns name and text. Optional columns are
prompt and prompt_text, which replace the options, and phones and durations (frames,
separated by blanks), which replace the predicted ones. Writes to the folder: name.wav,
failed.tsv (lines that failed, with the reason; exit status 1) and times.tsv (seconds of
computing, of speech).

--output - writes wav to standard output, every sentence as soon as it is computed.

Without a prompt the model speaks in its own voice, if it was exported with one.

A prompt is the voice of a person: use it only if that person agreed, and tell listeners
that the speech is generated.

examples:
  uniwav tts --text "Anything." --output out.wav
  uniwav tts --model EXP/valid.loss.best.pth --prompt me.wav \\
      --prompt_text "What I say there." --text "Hello." --output out.wav
  uniwav tts --model MODEL --text "One. Two. Three." --output - > out.wav
  uniwav tts --model EXP/valid.loss.best.pth --lines lines.tsv --output OUT
"""

from __future__ import annotations

import argparse
from pathlib import Path

from espnet_uniwav.cli.command import make_parser, run_command
from espnet_uniwav.cli.options import (
    SPEAKING,
    SPEECH,
    VOICE,
    add_allow_failed,
    add_device,
    add_model,
    add_prompt,
    add_sampling,
    add_seed,
    add_speed,
    add_vocoder,
)
from espnet_uniwav.io.units import seconds

WORK = "espnet_uniwav.apps.tts.speaking:synthesize"


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = make_parser("tts", __doc__)
    add_model(parser, default=VOICE)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--text", help="text to read")
    what.add_argument("--lines", type=Path, help="table of texts to read")
    add_prompt(parser)
    parser.add_argument(
        "--prompt_text",
        default="",
        help="transcript of the prompt (better with than without)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        help=f"file ({SPEECH}), - for standard output, or folder of --lines",
    )
    parser.add_argument(
        "--seconds", type=seconds, help="length of the speech, instead of --speed"
    )
    add_speed(parser)
    add_sampling(parser, SPEAKING, of_model=True)
    add_seed(parser)
    add_vocoder(parser)
    add_allow_failed(parser)
    add_device(parser)
    return parser


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), WORK, cmd)


if __name__ == "__main__":
    main()
