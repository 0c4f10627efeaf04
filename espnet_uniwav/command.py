"""What all commands do with their arguments and errors."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence


def run_command(
    parser: argparse.ArgumentParser,
    work: Callable[[argparse.Namespace], str | None],
    argv: Sequence[str] | None = None,
) -> None:
    """Parse, work, and print what comes of it.

    Args:
        parser: The command line; ``prog`` ends in the command's name.
        work: Gets the parsed arguments. Its ValueError, OSError and ImportError are one
            line and exit status 1.
        argv: Arguments; None: those of the process.
    """
    args = parser.parse_args(argv)
    try:
        said = work(args)
    except (ValueError, OSError, ImportError) as error:
        raise SystemExit(f"{parser.prog.split()[-1]}: {error}") from error
    if said is not None:
        print(said)
