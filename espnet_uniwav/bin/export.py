"""Export an ESPnet experiment as one self-contained checkpoint folder."""

from __future__ import annotations

import argparse

from espnet_uniwav.tasks.experiment import export_experiment


def main(argv: list[str] | None = None) -> None:
    """Command line: ``uniwav export EXPERIMENT FOLDER``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", help="ESPnet's output_dir")
    parser.add_argument("folder", help="checkpoint to write")
    parser.add_argument("--model_file", default="latest.pth")
    args = parser.parse_args(argv)
    model = export_experiment(args.experiment, args.folder, args.model_file)
    number = sum(p.numel() for p in model.parameters())
    print(f"{args.folder}: {number / 1e6:.1f} M parameters")


if __name__ == "__main__":
    main()
