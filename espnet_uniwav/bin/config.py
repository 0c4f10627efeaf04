"""Print a configuration with its includes resolved, as stock ESPnet reads it.

uniwav config conf/tuning/train_tiny_dinosr.yaml > exp/conf.yaml
"""

from __future__ import annotations

import argparse
import sys

import yaml

from espnet_uniwav.tasks.config import resolve


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", help="conf/*.yaml")
    conf = resolve(parser.parse_args(argv).config)
    yaml.safe_dump(conf, sys.stdout, sort_keys=False)


if __name__ == "__main__":
    main()
