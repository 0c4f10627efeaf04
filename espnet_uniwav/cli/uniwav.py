"""The console script ``uniwav NAME ...``: the commands of ``commands/``.

``uniwav`` alone prints the list of commands like ``uniwav --help``, but to stderr and
with exit status 2, like an unknown command.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys

from espnet_uniwav import __version__

GROUPS = {
    "data": ("align", "extract", "codec"),
    "training": ("config", "size", "export", "report"),
    "generation": ("infill", "tts", "edit", "score", "demo"),
    "tokens": ("cluster", "tokenize", "detokenize"),
    "analysis": ("understand",),
    "set-up": ("models", "hook"),
}


def main(argv: list[str] | None = None) -> None:
    """Call ``espnet_uniwav.cli.commands.NAME.main`` with the remaining arguments."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        prog="uniwav",
        usage="uniwav [-h] [--version] COMMAND ...",
        description="UniWav: one model for speech understanding and generation.",
        epilog="uniwav COMMAND --help shows options and examples.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("command", help=argparse.SUPPRESS)
    if argv[:1] in ([], ["-h"], ["--help"]):
        parser.description += f"\n\n{list_commands()}"
    if not argv:
        parser.print_help(sys.stderr)
        parser.exit(2)
    name = parser.parse_args(argv[:1]).command
    if name not in (names := sum(GROUPS.values(), ())):
        near = difflib.get_close_matches(name, names, 1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        parser.error(f"no command {name!r}{hint} Choose from {', '.join(names)}")
    sys.argv = [f"uniwav {name}", *argv[1:]]
    _module(name).main(argv[1:])


def list_commands() -> str:
    """All commands by group, each with the first line of its docstring."""
    lines = []
    for group, names in GROUPS.items():
        lines.append(f"{group}:")
        lines += [
            f"  {name:<12}{_module(name).__doc__.splitlines()[0]}" for name in names
        ]
    return "\n".join(lines)


def _module(name: str):
    return importlib.import_module(f"espnet_uniwav.cli.commands.{name}")


if __name__ == "__main__":
    main()
