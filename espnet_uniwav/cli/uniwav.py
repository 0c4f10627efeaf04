"""The console script ``uniwav NAME ...``.

``uniwav`` alone prints the list of commands like ``uniwav --help``, but to stderr and
with exit status 2, like an unknown command.
"""

from __future__ import annotations

import argparse
import difflib
import sys

from espnet_uniwav import __version__
from espnet_uniwav.cli.command import run_command
from espnet_uniwav.cli.commands import COMMANDS
from espnet_uniwav.cli.parser import make_parser
from espnet_uniwav.cli.process import limit_spinning
from espnet_uniwav.cli.signature import source_of


def main(argv: list[str] | None = None) -> None:
    """Call the function of a command with the remaining arguments."""
    limit_spinning()
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
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        parser.error(f"no command {name!r}{hint} Choose from {', '.join(COMMANDS)}")
    sys.argv = ["uniwav", *argv]
    function = f"espnet_uniwav.{COMMANDS[name].function}"
    run_command(parser_of(name), function, argv[1:])


def parser_of(name: str) -> argparse.ArgumentParser:
    """The command line of a command."""
    own = COMMANDS[name]
    module, function = own.function.split(":")
    path = source_of(f"espnet_uniwav.{module}")
    return make_parser(f"uniwav {name}", path, function, own.usage, own.text)


def list_commands() -> str:
    """All commands by group, each in one line."""
    lines, group = [], ""
    for name, own in COMMANDS.items():
        if own.group != group:
            group = own.group
            lines.append(f"{group}:")
        lines.append(f"  {name:<12}{own.text.splitlines()[0]}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
