"""A drop-in for ``python`` that knows UniWav.

    python -m espnet_uniwav.run -m espnet2.bin.ssl_train --print_config

Recipes take it as ``--python "python3 -m espnet_uniwav.run"``. It serves ``-m
module``, ``-c code`` and script paths. Registration stands at the top level and the
module's own ``main()`` is called, so that spawned workers of ``-m`` runs, which
import this file again, are registered too. A script that spawns workers of its own
calls ``espnet_uniwav.plugin.register()`` at its top.
"""

from __future__ import annotations

import ctypes
import importlib
import runpy
import sys
from pathlib import Path

from espnet_uniwav import plugin

USAGE = "usage: python -m espnet_uniwav.run (-m MODULE | -c CODE | SCRIPT) [ARG ...]"


def tune_malloc() -> bool:
    """Let glibc keep freed memory: large tensors then cause no page faults.

    Returns:
        Whether the C library took the settings.
    """
    trim_threshold, top_pad, mmap_max = -1, -2, -4
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    settings = ((mmap_max, 0), (trim_threshold, 2**31 - 1), (top_pad, 64 << 20))
    return all(mallopt(*setting) == 1 for setting in settings)


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


plugin.register()
tune_malloc()

if __name__ == "__main__":
    main()
