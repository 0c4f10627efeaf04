"""A drop-in for ``python`` with UniWav registered.

    python -m espnet_uniwav.run -m espnet2.bin.ssl_train --print_config

Pass it to recipes as ``--python "python3 -m espnet_uniwav.run"``. It supports ``-m
module``, ``-c code`` and script paths. Registration happens at import, and the
module's own ``main()`` is called. Spawned workers of ``-m`` runs import this file
again, so they register too. A script that spawns workers must call
``espnet_uniwav.plugin.register()`` at its top.
"""

from __future__ import annotations

import importlib
import runpy
import sys
from pathlib import Path

from espnet_uniwav import plugin
from espnet_uniwav.cli.process import tune_process

USAGE = "usage: python -m espnet_uniwav.run (-m MODULE | -c CODE | SCRIPT) [ARG ...]"


def main(argv: list[str] | None = None) -> None:
    """Run a module, code or a script with our classes registered."""
    argv = sys.argv[1:] if argv is None else argv
    if len(argv) < 1 or argv[0] in ("-h", "--help"):
        sys.exit(USAGE)
    if argv[0] == "-m" and len(argv) > 1:
        run_module(argv[1], argv[2:])
    elif argv[0] == "-c" and len(argv) > 1:
        sys.argv = ["-c", *argv[2:]]
        exec(compile(argv[1], "<string>", "exec"), {"__name__": "__main__"})
    elif argv[0].startswith("-"):
        sys.exit(f"unknown option {argv[0]}\n{USAGE}")
    else:
        sys.argv = list(argv)
        sys.path.insert(0, str(Path(argv[0]).resolve().parent))
        runpy.run_path(argv[0], run_name="__main__")


def run_module(name: str, args: list[str]) -> None:
    """Call the ``main()`` of a module, or run it as ``__main__`` if it has none."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        sys.exit(f"no module named {name!r}")
    sys.argv = [spec.origin or name, *args]
    module = importlib.import_module(name)
    if hasattr(module, "main"):
        sys.exit(module.main())
    runpy.run_module(name, run_name="__main__", alter_sys=True)


tune_process()
plugin.register()

if __name__ == "__main__":
    main()
