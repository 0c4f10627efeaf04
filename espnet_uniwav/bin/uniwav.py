"""The console script ``uniwav NAME ...``: the commands of this folder."""

from __future__ import annotations

import importlib
import pkgutil
import sys

from espnet_uniwav import bin as commands


def main(argv: list[str] | None = None) -> None:
    """Call ``espnet_uniwav.bin.NAME.main`` with the remaining arguments."""
    argv = sys.argv[1:] if argv is None else argv
    names = sorted(m.name for m in pkgutil.iter_modules(commands.__path__))
    names.remove("uniwav")
    if not argv or argv[0] not in names:
        sys.exit(f"usage: uniwav {{{','.join(names)}}} [ARG ...]")
    sys.argv = [f"uniwav {argv[0]}", *argv[1:]]
    importlib.import_module(f"espnet_uniwav.bin.{argv[0]}").main(argv[1:])


if __name__ == "__main__":
    main()
