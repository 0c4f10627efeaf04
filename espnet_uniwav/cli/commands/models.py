"""List the models that come with the package, or print one's card.

The name of a packaged model is valid wherever a checkpoint is expected:
UniWav.from_pretrained("small"), `uniwav infill --checkpoint small`,
frontend_conf: {checkpoint: small}, or -k small of S3PRL's run_downstream.

examples:
  uniwav models
  uniwav models small
"""

from __future__ import annotations

import argparse
from pathlib import Path

from espnet_uniwav.cli.command import make_parser, run_command


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = make_parser("models", __doc__)
    parser.add_argument(
        "name", nargs="?", help="print the card of this model or folder"
    )
    parser.add_argument(
        "--folder",
        action="store_true",
        help="print the checkpoint's folder instead; also for OWNER/NAME on the hub",
    )
    return parser


def models(args: argparse.Namespace) -> str:
    """List the models, or return a card or folder.

    Raises:
        ValueError, OSError: Naming the model and what to do.
    """
    from espnet_uniwav.core.card import read_card
    from espnet_uniwav.io.folder import find_folder, packaged_models, read_config

    if args.folder and not args.name:
        raise ValueError("--folder needs the name of a checkpoint")
    if args.name is None:
        found = sorted(packaged_models().items())
        lines = [f"{name}: {describe(folder)}" for name, folder in found]
        return "\n".join(lines) or "this package comes without models"
    folder = find_folder(args.name)
    read_config(folder)
    if args.folder:
        return str(folder.resolve())
    return read_card(folder)[1].rstrip()


def describe(folder: Path) -> str:
    """Kind, parameters (with buffers), size, training data and licence, in one line.

    Raises:
        ValueError, OSError: If the folder is no checkpoint with a card.
    """
    import math

    from safetensors import safe_open

    from espnet_uniwav.core.card import read_card
    from espnet_uniwav.core.checkpoint import read_checkpoint
    from espnet_uniwav.io.folder import WEIGHTS

    kind, (head, _) = read_checkpoint(folder).kind, read_card(folder)
    with safe_open(folder / WEIGHTS, "pt") as weights:
        shapes = [weights.get_slice(name).get_shape() for name in weights.keys()]
    number = sum(math.prod(shape) for shape in shapes) / 1e6
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    return (
        f"{kind}, {number:.1f} M parameters, {size:.1f} MB, trained on "
        f"{head.get('trained_on', 'unknown data')}; {head.get('license', 'no licence')}"
    )


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), models, cmd)


if __name__ == "__main__":
    main()
