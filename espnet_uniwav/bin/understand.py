"""Measure what every layer knows of phones and speakers: see --help."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from espnet_uniwav.analysis.layers.corpus import (
    Corpus,
    missing_parts,
    read_alignments,
    read_corpus,
)
from espnet_uniwav.analysis.layers.scores import NUM_RUNS, LayerScorer, Score
from espnet_uniwav.analysis.layers.states import (
    FEATURES,
    collect_states,
)
from espnet_uniwav.analysis.layers.understanding import RANDOM, RAW, write_understanding
from espnet_uniwav.checkpoint import load_checkpoint, untrained_model
from espnet_uniwav.command import run_command
from espnet_uniwav.model import UniWav
from espnet_uniwav.tokenizer.files import read_codes


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="uniwav understand",
        description="Measure what every layer of a checkpoint knows: mutual "
        "information of k-means units with phones and with speakers, and linear "
        "probes, beside the raw features and a random encoder. Writes tables and "
        "pictures; `uniwav report --understanding FOLDER` shows them.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--checkpoint",
        type=named_folder,
        nargs="+",
        required=True,
        metavar="[NAME=]FOLDER",
        help="folder or name; raw features and random encoder are those of the first",
    )
    add(
        "--codes",
        type=named_folder,
        nargs="+",
        default=[],
        metavar="[NAME=]FOLDER",
        help="written by `uniwav tokenize` of --data: mutual information of each code",
    )
    add("--data", type=Path, required=True, help="held-out Kaldi data folder")
    add("--fit_data", type=Path, help="Kaldi data folder to fit the phone probe on")
    add(
        "--alignment",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="written by `uniwav align`, of --data and --fit_data; phones are measured "
        "on the utterances in them, speakers on all of --data",
    )
    add("--output", type=Path, required=True, help="folder to write")
    add("--num_utterances", type=int, help="held-out, evenly spread; default all")
    add("--num_fit_utterances", type=int, help="to fit on, evenly spread; default all")
    add("--clusters", type=int, help="default: 300 frames or more for each, up to 1024")
    add("--runs", type=int, default=NUM_RUNS, help="of k-means, averaged")
    add("--max_frames", type=int, default=50000, help="of each folder; thins the rest")
    add("--seed", type=int, default=0, help="of clusters, random encoder and halves")
    add("--device", default="cpu", help="torch device of the models")
    return parser


def understand(args: argparse.Namespace) -> str:
    """Measure all systems and write the folder.

    Raises:
        ValueError, OSError: Naming the file or utterance and what to do.
    """
    _check(args)
    alignments = read_alignments(args.alignment)
    held_out = read_corpus(args.data, alignments, args.num_utterances)
    fit = None
    if args.fit_data and alignments:
        fit = read_corpus(args.fit_data, alignments, args.num_fit_utterances, True)
    notes = missing_parts(held_out, fit)
    for note in notes:
        print(note)
    scores = []
    for name, model in make_systems(args):
        for score in score_system(name, model, held_out, fit, args):
            scores.append(score)
            print(score, flush=True)
    scores.sort(key=lambda score: score.system == RAW)
    write_understanding(args.output, scores, notes, args.command)
    return f"{args.output}: {len(scores)} scores"


def make_systems(args: argparse.Namespace) -> Iterator[tuple[str, UniWav]]:
    """The checkpoints in turn, then a random encoder like the first."""
    first = None
    for name, folder in args.checkpoint:
        model = load_checkpoint(folder)
        first = first or model.features.spec
        found = model.features.spec
        if found.frame_rate != first.frame_rate:
            raise ValueError(
                f"{folder}: expected {first.frame_rate:g} frames per second as in the "
                f"first checkpoint, found {found.frame_rate:g}; measure it by itself"
            )
        yield name, model
    yield RANDOM, untrained_model(args.checkpoint[0][1], args.seed)


def score_system(
    name: str,
    model: UniWav,
    held_out: Corpus,
    fit: Corpus | None,
    args: argparse.Namespace,
) -> Iterator[Score]:
    """Read the speech once and score all layers."""
    model = model.to(args.device)
    states = collect_states(model, held_out.utterances, args.max_frames)
    alignments, fit_states = dict(held_out.alignments), None
    if fit is not None:
        alignments.update(fit.alignments)
        fit_states = collect_states(model, fit.utterances, args.max_frames)
    scorer = LayerScorer(
        states.frames,
        alignments,
        fit_states.frames if fit_states else None,
        args.clusters,
        args.runs,
        args.seed,
    )
    for layer, values in states.layers.items():
        system = RAW if layer == FEATURES else name
        fit_values = fit_states.layers[layer] if fit_states else None
        if system == name or name == args.checkpoint[0][0]:
            yield from scorer.score(system, layer, values, fit_values)
    for own, folder in args.codes if name == args.checkpoint[0][0] else ():
        for k, codes in enumerate(states.frames.pick(read_codes(folder))):
            yield from scorer.score_codes(own, f"code {k + 1}", codes)


def _check(args: argparse.Namespace) -> None:
    names = [name for name, _ in args.checkpoint + args.codes] + [RANDOM, RAW]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(
            "--checkpoint, --codes: expected a name of its own for each, found "
            f"{twice} twice; give names with NAME=FOLDER"
        )
    for option, least in (("runs", 1), ("clusters", 2), ("max_frames", 1)):
        value = getattr(args, option)
        if value is not None and value < least:
            raise ValueError(f"--{option}: expected {least} or more, found {value}")


def named_folder(text: str) -> tuple[str, Path]:
    """Split ``NAME=FOLDER``; without a name, the experiment's folder gives it."""
    name, _, folder = text.rpartition("=")
    folder = Path(folder)
    parts = [part for part in folder.parts if part not in ("checkpoint", "..", "/")]
    return name or (parts[-1] if parts else "checkpoint"), folder


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    cmd = sys.argv[1:] if cmd is None else cmd
    parser = get_parser()
    parser.set_defaults(command=shlex.join(["uniwav", "understand", *cmd]))
    run_command(parser, understand, cmd)


if __name__ == "__main__":
    main()
