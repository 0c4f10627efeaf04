#!/usr/bin/env python3
"""Score infilling by word errors and by distance: see --help."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from espnet_uniwav.apps.infill.recording import load_generator
from espnet_uniwav.cli.command import say_interrupted
from espnet_uniwav.cli.options import add_device, add_sampling, add_seed
from espnet_uniwav.core.flow.sampling import Sampling
from espnet_uniwav.io.output import check_output
from espnet_uniwav.io.tables import write_csv
from espnet_uniwav.lab.score.infilling import (
    InfillingScorer,
    Protocol,
    csv_rows,
    format_table,
    load_utterances,
    parse_grid,
    score_table,
)
from espnet_uniwav.lab.score.judges import WhisperJudge


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description="Hide frames of every utterance, fill them in several ways, and "
        "compare: word errors of Whisper tiny.en, and mean absolute distance of the "
        "features at the hidden frames (log_mel: natural logarithm, 1.0 = 8.7 dB). "
        "All but the original pass through the inverse of the features.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--checkpoint", type=Path, required=True, help="folder or name")
    add("--data", type=Path, required=True, help="Kaldi folder: wav.scp, text")
    add("--output", type=Path, required=True, help="CSV file to write")
    add("--share", type=float, default=0.3, help="share of hidden frames")
    add("--spans", type=float, nargs="+", default=[0.1, 0.2], help="seconds")
    add("--num_utterances", type=int, help="every n-th utterance; default all")
    add("--grid", default="", help="such as num_steps=1,4;temperature=0.7,1")
    add("--cache", type=Path, help="json of the scores that need no model")
    add("--save_wavs", type=Path, help="folder for every judged waveform")
    add("--no_whisper", action="store_true", help="distance only")
    add("--beam_size", type=int, default=5, help="of Whisper")
    add("--cpu_threads", type=int, default=2)
    add_sampling(parser)
    add_seed(parser)
    add_device(parser)
    return parser


def score(args: argparse.Namespace) -> None:
    """Score one checkpoint, print the table and write the CSV."""
    torch.set_num_threads(args.cpu_threads)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    check_output(args.output)
    model = load_generator(args.checkpoint)
    sampling = Sampling(
        args.num_steps, args.method, args.guidance_scale, args.temperature
    )
    grid = parse_grid(args.grid, sampling)
    utterances, skipped = load_utterances(
        args.data, model.features, args.num_utterances, max(args.spans)
    )
    judge = None if args.no_whisper else WhisperJudge(args.beam_size, args.cpu_threads)
    scorer = InfillingScorer(
        model.features, utterances, judge, args.cache, args.save_wavs
    )
    protocols = [Protocol(span, args.share, args.seed) for span in args.spans]
    rows, differences = score_table(
        scorer, model.to(args.device), protocols, grid, args.seed
    )
    write_csv(args.output, csv_rows(rows))
    print(format_table(rows))
    for d in differences:
        print(
            f"{1000 * d.span:.0f} ms: {d.system} minus {d.filler}: {d.points:+.1f} "
            "points of WER"
        )
    print(
        f"{len(utterances)} utterances scored, {len(skipped)} left out (too short or "
        f"without text){': ' if skipped else ''}{' '.join(skipped)}"
    )


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    args = get_parser().parse_args(cmd)
    try:
        score(args)
    except (ValueError, OSError) as error:
        raise SystemExit(f"score_infill: {error}") from error
    except KeyboardInterrupt:
        raise SystemExit(say_interrupted("score_infill")) from None


if __name__ == "__main__":
    main()
