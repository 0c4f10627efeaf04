"""Replace words of a recording by words that the model speaks in the same voice."""

from __future__ import annotations

import argparse
from pathlib import Path

from espnet_uniwav.audio import read_speech, write_speech
from espnet_uniwav.bin.tts import add_manner_arguments, add_model_arguments, manner_of
from espnet_uniwav.command import run_command
from espnet_uniwav.kaldi import Utterance


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="uniwav edit",
        description="Say other words in an English recording. All samples outside the "
        "replaced words are kept, but for a fade of 15 ms.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("input", type=Path, help="any file that libsndfile reads")
    parser.add_argument("output", type=Path, help="wav file to write")
    add_model_arguments(parser)
    parser.add_argument("--text", required=True, help="what is said in the recording")
    parser.add_argument("--replace", required=True, help="words of it, said once")
    parser.add_argument("--by", required=True, help="what is said instead")
    add_manner_arguments(parser)
    return parser


def edit(args: argparse.Namespace) -> str:
    """Align, speak and write.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    from espnet_uniwav.alignment.pocketsphinx_aligner import PocketSphinxAligner
    from espnet_uniwav.tasks.reader import load_reader
    from espnet_uniwav.tts.edit import find_words, replace

    utterance = Utterance(args.input.name, args.input, text=args.text)
    try:
        alignment = PocketSphinxAligner()(utterance)
        stretch = find_words(alignment.words, args.replace)
    except ValueError as error:
        raise ValueError(f"{args.input}: {error}") from error
    reader = load_reader(args.model, args.config, args.device, args.vocoder)
    speech = read_speech(args.input, reader.features.spec.sample_rate)
    phones, manner = alignment.units, manner_of(args)
    edited = replace(reader, speech, phones, stretch, args.by, manner)
    write_speech(args.output, edited, reader.features.spec.sample_rate)
    return f"{args.output}: {stretch[0]:.2f} to {stretch[1]:.2f} s spoken anew"


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), edit, cmd)


if __name__ == "__main__":
    main()
