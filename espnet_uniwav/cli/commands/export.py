"""Export an ESPnet experiment as a self-contained checkpoint.

Writes config.yaml and model.safetensors to OUT. They cannot contain code: share them
rather than .pth files. With --data and --licence it also writes a model card
(README.md) for Hugging Face's hub: `huggingface-cli upload OWNER/NAME OUT`. OUT and
OWNER/NAME are valid wherever a checkpoint is named; those of a synthesiser as --model
of tts and edit.

examples:
  uniwav export EXP EXP/checkpoint
  uniwav export EXP_TTS OUT --model_file valid.loss.best.pth
  uniwav export EXP OUT --half --data "LibriSpeech, 960 h" --licence cc-by-4.0
"""

from __future__ import annotations

import argparse
from pathlib import Path

from espnet_uniwav.cli.command import make_parser, run_command


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = make_parser("export", __doc__)
    parser.add_argument("experiment", help="ESPnet's output_dir")
    parser.add_argument("folder", help="checkpoint to write")
    parser.add_argument(
        "--model_file", default="latest.pth", help="saved model in the experiment"
    )
    parser.add_argument(
        "--half", action="store_true", help="fp16: half the size; loaded as fp32"
    )
    parser.add_argument(
        "--whole",
        action="store_true",
        help="export a recogniser with its tokens, for `uniwav align --model`, "
        "instead of only its encoder",
    )
    parser.add_argument(
        "--data",
        help="training data, for the model card; or a markdown file: the training data "
        "in one paragraph, then a table of corpora with hours, licence and source",
    )
    parser.add_argument("--licence", help="licence of the weights, such as cc-by-4.0")
    parser.add_argument("--language", default="en", help="language code")
    parser.add_argument("--metrics", type=Path, help="markdown file, such as scores.md")
    parser.add_argument("--limits", type=Path, help="markdown file: further limits")
    parser.add_argument("--name", help="on the hub: OWNER/NAME")
    return parser


def export(args: argparse.Namespace) -> str:
    """Export the model, and write its card if data and licence are given.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    from espnet_uniwav.core.card import write_card
    from espnet_uniwav.integrations.espnet.experiment import export_experiment

    if bool(args.data) != bool(args.licence):
        raise ValueError("a model card needs both --data and --licence")
    data, metrics, limits = _data(args.data), _text(args.metrics), _text(args.limits)
    model = export_experiment(
        args.experiment, args.folder, args.model_file, args.half, args.whole
    )
    if data:
        write_card(
            args.folder, data, args.licence, args.language, metrics, args.name, limits
        )
    number = sum(p.numel() for p in model.parameters())
    return f"{args.folder}: {number / 1e6:.1f} M parameters"


def _data(data: str | None) -> str:
    """The text itself, or the content of the markdown file of that name."""
    return _text(Path(data)) if data and data.endswith(".md") else data or ""


def _text(path: Path | None) -> str:
    return path.read_text(encoding="utf-8") if path else ""


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), export, cmd)


if __name__ == "__main__":
    main()
