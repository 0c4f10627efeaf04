"""Fill gaps of a recording with speech that a checkpoint generates."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from espnet_uniwav.analysis.infilling.filling import (
    fill_gaps,
    gap_mask,
)
from espnet_uniwav.audio import read_speech, write_speech
from espnet_uniwav.checkpoint import load_checkpoint
from espnet_uniwav.command import run_command
from espnet_uniwav.flow.sampling import Sampling
from espnet_uniwav.splicing import FADE_SECONDS, splice, vocode_gaps
from espnet_uniwav.vocoder import use_vocoder

MIN_SECONDS = 0.1


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="uniwav infill",
        description="Replace parts of a recording by speech that the model generates. "
        "Frames outside the gaps are kept. Where the audio inside a gap is damaged, "
        "make the gap 0.03 s wider on either side: frames see that far.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("input", type=Path, help="any file that libsndfile reads")
    parser.add_argument("output", type=Path, help="wav file to write")
    parser.add_argument("--checkpoint", type=Path, required=True, help="folder or name")
    for name in ("start", "end"):
        parser.add_argument(
            f"--{name}",
            type=float,
            action="append",
            required=True,
            help=f"{name} of a gap (seconds); repeat the pair for more gaps",
        )
    add_sampling_arguments(parser)
    parser.add_argument("--seed", type=int, default=0, help="of the initial noise")
    parser.add_argument(
        "--context",
        type=float,
        default=10.0,
        help="seconds that the model sees on either side of a gap",
    )
    parser.add_argument(
        "--splice",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="keep the original samples outside the gaps; "
        "without it, all of the output is vocoded",
    )
    add_vocoder_argument(parser)
    parser.add_argument("--device", default="cpu", help="torch device")
    return parser


def add_sampling_arguments(
    parser: argparse.ArgumentParser, default: Sampling = Sampling()
) -> None:
    """Options of ``Sampling``, under the same names."""
    parser.add_argument(
        "--num_steps", type=int, default=default.num_steps, help="steps of the solver"
    )
    parser.add_argument(
        "--method", default=default.method, choices=["euler", "midpoint", "heun"]
    )
    parser.add_argument(
        "--guidance_scale",
        type=float,
        default=default.guidance_scale,
        help="a in (1 + a) v(condition) - a v(empty)",
    )
    parser.add_argument(
        "--temperature",
        type=float,
        default=default.temperature,
        help="scales the initial noise",
    )


def add_vocoder_argument(parser: argparse.ArgumentParser) -> None:
    """Option of ``use_vocoder``."""
    parser.add_argument(
        "--vocoder",
        type=Path,
        metavar="FOLDER",
        help="checkpoint of a vocoder, instead of Griffin-Lim",
    )


def sampling_of(args: argparse.Namespace) -> Sampling:
    """The sampling settings among parsed arguments."""
    return Sampling(args.num_steps, args.method, args.guidance_scale, args.temperature)


def load_generator(folder: Path):
    """Load a checkpoint that can generate.

    Raises:
        FileNotFoundError, ValueError: If it is missing, broken, or has no decoder.
    """
    model = load_checkpoint(folder)
    if model.decoder is None:
        raise ValueError(
            f"{folder}: this checkpoint has no decoder; use one that was trained with "
            "the flow_matching loss"
        )
    return model


def infill(args: argparse.Namespace) -> None:
    """Read, fill and write as the arguments say.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    if len(args.start) != len(args.end):
        raise ValueError(
            f"expected a --end for each --start, found {len(args.start)} starts and "
            f"{len(args.end)} ends; give them in pairs"
        )
    if not args.output.absolute().parent.is_dir():
        raise FileNotFoundError(
            f"{args.output}: its folder does not exist; make it first"
        )
    model = load_generator(args.checkpoint).to(args.device)
    use_vocoder(model.features, args.vocoder)
    spec = model.features.spec
    speech = torch.from_numpy(read_speech(args.input, spec.sample_rate))
    seconds = len(speech) / spec.sample_rate
    if seconds < MIN_SECONDS:
        raise ValueError(
            f"{args.input}: expected at least {MIN_SECONDS} seconds, "
            f"found {seconds:.3f}; use a longer file"
        )
    gaps = list(zip(args.start, args.end))
    mask = gap_mask(
        gaps, spec.num_frames(len(speech)), spec.frame_rate, str(args.input)
    )
    x = model.features.extract_one(speech)
    filled = fill_gaps(model, x, mask, sampling_of(args), args.seed, args.context)
    write_speech(
        args.output, _render(model, speech, filled, mask, gaps, args), spec.sample_rate
    )


def _render(model, speech, filled, mask, gaps, args):
    spec = model.features.spec
    if not args.splice:
        return model.features.invert_one(filled)[: len(speech)]
    generated = vocode_gaps(model.features, filled, mask, len(speech))
    bounds = [
        (round(start * spec.sample_rate), round(end * spec.sample_rate))
        for start, end in gaps
    ]
    fade = round(FADE_SECONDS * spec.sample_rate)
    return splice(speech, generated, bounds, fade)


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), infill, cmd)


if __name__ == "__main__":
    main()
