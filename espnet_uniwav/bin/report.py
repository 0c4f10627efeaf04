"""Show a pre-training as one page: ``report --exp EXP --checkpoint F --wav_scp W``."""

from __future__ import annotations

import argparse
from pathlib import Path

from espnet_uniwav.analysis import report as parts
from espnet_uniwav.analysis.experiment import read_experiment
from espnet_uniwav.analysis.layers.understanding import understanding_section
from espnet_uniwav.analysis.page import Page, load_sections, write_page
from espnet_uniwav.analysis.scalars import read_curves
from espnet_uniwav.bin.infill import add_sampling_arguments, sampling_of
from espnet_uniwav.checkpoint import load_checkpoint
from espnet_uniwav.command import run_command

LEAD = (
    "What this model learnt and how. UniWav pre-trains one encoder and one decoder "
    "together: the encoder predicts clusters of its own teacher at masked frames, "
    "the decoder generates those frames by flow matching from the encoder's states."
)


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="uniwav report",
        description="Write one self-contained HTML page about a pre-training.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--exp", type=Path, required=True, help="ESPnet's output_dir")
    parser.add_argument("--checkpoint", type=Path, help="folder or name")
    parser.add_argument("--wav_scp", type=Path, help="of a held-out data folder")
    parser.add_argument("--output", type=Path, default=Path("report/index.html"))
    parser.add_argument("--title", default="UniWav pre-training")
    parser.add_argument("--corpus", default="", help="name of the corpus, to be shown")
    parser.add_argument("--num_utterances", type=int, default=4, help="to be shown")
    parser.add_argument("--mask_share", type=float, default=0.3, help="of the frames")
    parser.add_argument("--mask_span", type=float, default=0.2, help="seconds")
    parser.add_argument(
        "--seed", type=int, default=0, help="of choice, masks and noise"
    )
    parser.add_argument(
        "--infill_table",
        type=Path,
        nargs="+",
        default=[],
        metavar="CSV",
        help="infilling scores, shown as tables",
    )
    parser.add_argument(
        "--table",
        action="append",
        default=[],
        metavar="TITLE=CSV",
        help="another table; repeat for more",
    )
    parser.add_argument(
        "--understanding",
        type=Path,
        metavar="FOLDER",
        help="written by `uniwav understand`: what the layers know",
    )
    parser.add_argument(
        "--speech",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="written by `uniwav score`: what a fine-tuned synthesiser or a tokenizer "
        "says",
    )
    parser.add_argument(
        "--command",
        action="append",
        default=[],
        help="a command line that reproduces the run; repeat for more",
    )
    add_sampling_arguments(parser)
    return parser


def build_page(args: argparse.Namespace) -> Page:
    """Gather all sections.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    run = read_experiment(args.exp)
    curves = read_curves(args.exp)
    model = load_checkpoint(args.checkpoint) if args.checkpoint else None
    sections = [
        parts.utterance_section(
            model,
            args.wav_scp,
            args.num_utterances,
            sampling_of(args),
            args.mask_share,
            args.mask_span,
            args.seed,
        ),
        *parts.curve_sections(run, curves),
        parts.weights_section(model),
    ]
    if tables := _tables(args):
        sections.insert(1, parts.table_section(tables))
    for folder in reversed(args.speech):
        sections[1:1] = load_sections(folder / "sections.json")
    if args.understanding:
        sections.append(understanding_section(args.understanding))
    sections.append(parts.run_section(run, args.command))
    facts = parts.run_facts(run, curves, model, args.corpus)
    return Page(args.title, LEAD, facts, sections)


def _tables(args: argparse.Namespace) -> list[tuple[str, Path]]:
    tables = [(f"Infilling scores: {path.stem}", path) for path in args.infill_table]
    for table in args.table:
        title, separator, path = table.partition("=")
        if not separator:
            raise ValueError(f"--table: expected TITLE=CSV, found {table!r}")
        tables.append((title, Path(path)))
    return tables


def report(args: argparse.Namespace) -> str:
    """Build and write the page as the arguments say; see ``build_page``."""
    path = write_page(build_page(args), args.output)
    return f"{path} ({path.stat().st_size / 1e6:.1f} MB)"


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), report, cmd)


if __name__ == "__main__":
    main()
