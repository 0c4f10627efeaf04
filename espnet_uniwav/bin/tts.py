"""Read texts aloud in the voice of a prompt."""

from __future__ import annotations

import argparse
from pathlib import Path

from espnet_uniwav.audio import read_speech, write_speech
from espnet_uniwav.bin.infill import (
    add_sampling_arguments,
    add_vocoder_argument,
    sampling_of,
)
from espnet_uniwav.command import run_command
from espnet_uniwav.flow.sampling import SPEAKING
from espnet_uniwav.tts.lines import Line, read_lines

DESCRIPTION = """\
One text:  uniwav tts --model EXP/valid.loss.best.pth --prompt me.wav \\
               --prompt_text "What I say there." --text "Hello." --output out.wav
Many:      uniwav tts --model EXP/valid.loss.best.pth --lines lines.tsv --output OUT

lines.tsv has a head and the columns name and text; prompt and prompt_text where they
differ from the options; phones and durations (frames, blanks between them) to say how
exactly. OUT gets name.wav, failed.tsv with the lines that could not be read, and
times.tsv (seconds of computing, of speech).
"""


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="uniwav tts",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_model_arguments(parser)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--text", help="what to read")
    what.add_argument("--lines", type=Path, help="table of what to read")
    parser.add_argument(
        "--prompt", default="", help="recording of the voice to read in"
    )
    parser.add_argument(
        "--prompt_text",
        default="",
        help="what is said in it (better with than without)",
    )
    parser.add_argument(
        "--output", type=Path, required=True, help="wav file, or folder of --lines"
    )
    add_manner_arguments(parser)
    parser.add_argument("--seconds", type=float, help="length of the speech")
    return parser


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that name a trained model."""
    parser.add_argument(
        "--model", type=Path, required=True, help="model file (.pth) of ESPnet's TTS"
    )
    parser.add_argument(
        "--config", type=Path, help="of the model (default: config.yaml beside it)"
    )
    add_vocoder_argument(parser)
    parser.add_argument("--device", default="cpu", help="torch device")


def add_manner_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``Manner``."""
    add_sampling_arguments(parser, SPEAKING)
    parser.add_argument("--seed", type=int, default=0, help="of the noise")
    parser.add_argument(
        "--speed", type=float, default=1.0, help="divides predicted durations"
    )


def manner_of(args: argparse.Namespace):
    """The manner among parsed arguments."""
    from espnet_uniwav.tts.reader import Manner

    seconds = getattr(args, "seconds", None)
    return Manner(sampling_of(args), args.seed, args.speed, seconds)


def tts(args: argparse.Namespace) -> str:
    """Read and write as the arguments say.

    Raises:
        ValueError, OSError: Naming the file or line and what to do.
    """
    from espnet_uniwav.jobs import do_all, write_outcomes
    from espnet_uniwav.tasks.reader import load_reader

    lines = read_lines(args.lines) if args.lines else [Line(text=args.text)]
    folder = args.output if args.lines else args.output.absolute().parent
    if args.lines:
        folder.mkdir(parents=True, exist_ok=True)
    elif not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; make it first")
    speak = _Speak(
        load_reader(args.model, args.config, args.device, args.vocoder), args
    )
    if not args.lines:
        speak(lines[0], args.output)
        return f"{args.output}"
    items = {line.name: (line, folder / f"{line.name}.wav") for line in lines}
    failed = write_outcomes(
        folder, do_all(lambda: lambda item: speak(*item), items, title="tts")
    )
    return f"{folder}: {len(lines) - failed} of {len(lines)} lines read"


class _Speak:
    """Reads one line; prompts are read once."""

    def __init__(self, reader, args: argparse.Namespace):
        self.reader, self.args = reader, args
        self.manner = manner_of(args)
        self.prompts = {}

    def __call__(self, line: Line, path: Path) -> float:
        """Write one line to a wav file; returns its seconds."""
        reader = self.reader
        rate = reader.features.spec.sample_rate
        prompt = self._prompt(
            line.prompt or self.args.prompt, line.prompt_text or self.args.prompt_text
        )
        if line.phones:
            speech = reader.wave(self._speak_phones(line, prompt))
        else:
            speech = reader.read(line.text, prompt, self.manner)
        write_speech(path, speech, rate)
        return len(speech) / rate

    def _prompt(self, path: str, text: str):
        if not path:
            return None
        if (path, text) not in self.prompts:
            rate = self.reader.features.spec.sample_rate
            self.prompts = {
                (path, text): self.reader.prompt(read_speech(path, rate), text)
            }
        return self.prompts[path, text]

    def _speak_phones(self, line: Line, prompt):
        import torch

        durations = None
        if line.durations:
            durations = torch.tensor(
                [int(count) for count in line.durations.split()],
                device=self.reader.device,
            )
        return self.reader.speak(
            line.phones.split(), prompt, self.manner, durations=durations
        )


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), tts, cmd)


if __name__ == "__main__":
    main()
