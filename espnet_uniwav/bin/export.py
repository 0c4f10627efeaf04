"""Export an ESPnet experiment as a self-contained checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path

from espnet_uniwav.command import run_command

DESCRIPTION = """\
OUT gets config.yaml and model.safetensors; with --data and --licence also a model card
(README.md) for Hugging Face's hub: `huggingface-cli upload OWNER/NAME OUT`. Every
`from_pretrained`, and `load_checkpoint`, takes OUT or OWNER/NAME.
"""


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="uniwav export",
        description=DESCRIPTION,
        epilog="examples:\n  uniwav export EXP EXP/checkpoint",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("experiment", help="ESPnet's output_dir")
    parser.add_argument("folder", help="checkpoint to write")
    parser.add_argument(
        "--model_file", default="latest.pth", help="of an ESPnet experiment"
    )
    parser.add_argument("--data", help="what it was trained on, for the model card")
    parser.add_argument("--licence", help="of the weights, such as cc-by-4.0")
    parser.add_argument("--language", default="en", help="code of it")
    parser.add_argument("--metrics", type=Path, help="markdown, such as scores.md")
    parser.add_argument("--name", help="on the hub: OWNER/NAME")
    return parser


def export(args: argparse.Namespace) -> str:
    """Export, and write the card if there is something to say.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    from espnet_uniwav.card import write_card
    from espnet_uniwav.tasks.experiment import export_experiment

    if bool(args.data) != bool(args.licence):
        raise ValueError("a model card needs both --data and --licence")
    model = export_experiment(args.experiment, args.folder, args.model_file)
    if args.data:
        metrics = args.metrics.read_text(encoding="utf-8") if args.metrics else ""
        write_card(
            args.folder, args.data, args.licence, args.language, metrics, args.name
        )
    number = sum(p.numel() for p in model.parameters())
    return f"{args.folder}: {number / 1e6:.1f} M parameters"


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), export, cmd)


if __name__ == "__main__":
    main()
