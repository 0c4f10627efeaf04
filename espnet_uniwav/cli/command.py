"""A command at work: its errors in one line, its exit status, Ctrl-C."""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from espnet_uniwav.cli.parser import make_parser
from espnet_uniwav.cli.signature import ROOT
from espnet_uniwav.io.bounds import NUMBERS, check_number

# Exit status, as of a program that SIGINT ends.
INTERRUPTED = 130


def run_command(
    parser: argparse.ArgumentParser,
    work: str | Callable[..., "str | None"],
    argv: Sequence[str] | None = None,
) -> None:
    """Parse, work, and print what comes of it.

    Args:
        parser: The command line; ``prog`` ends in the command's name.
        work: Function, called with the arguments as keywords; or ``module:function``,
            imported after parsing. Its ValueError, OSError and ImportError are one line
            and exit status 1, Ctrl-C is one and 130.
        argv: Arguments; None: those of the process.
    """
    args, said, interrupted = parser.parse_args(argv), None, False
    name = re.split(r"[ .]", parser.prog)[-1]
    with _interrupts() as heard:
        try:
            check_options(args)
            work = load(work) if isinstance(work, str) else work
            said = work(**vars(args))
        except (ValueError, OSError, ImportError) as error:
            if not heard:
                raise SystemExit(f"{name}: {error}") from error
            interrupted = True
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:  # and the work, which the exception held, has cleaned up
        raise SystemExit(say_interrupted(name))
    if said is not None:
        _say(said)


def _say(text: str) -> None:
    """Print; that a reader has enough, as `head` has, is no error."""
    try:
        print(text, flush=True)
    except BrokenPipeError:  # what Python flushes at exit goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run_script(
    function: Callable[..., "str | None"],
    usage: str = "",
    argv: Sequence[str] | None = None,
) -> None:
    """Run a function as the script that its file is: its arguments are the options.

    Args:
        function: Of a file whose docstring says what the script does.
        usage: See ``make_parser``.
        argv: Arguments; None: those of the process.
    """
    path, text = Path(inspect.getfile(function)), function.__globals__["__doc__"]
    parser = make_parser(_program(path), path, function.__name__, usage, text)
    run_command(parser, function, argv)


def _program(path: Path) -> str:
    """How a script is started: a module of this package, or a file."""
    if not path.is_relative_to(ROOT / "espnet_uniwav"):
        return path.stem
    return f"python -m {'.'.join(path.relative_to(ROOT).with_suffix('').parts)}"


@contextmanager
def _interrupts() -> Iterator[list]:
    """A list that is longer after Ctrl-C, which NumPy's import makes an ImportError."""
    heard = []

    def hear(*signal_and_frame):
        heard.append(True)
        signal.default_int_handler(*signal_and_frame)

    before = signal.getsignal(signal.SIGINT)
    main = threading.current_thread() is threading.main_thread()
    if not main or before is not signal.default_int_handler:
        yield heard
        return
    signal.signal(signal.SIGINT, hear)
    try:
        yield heard
    finally:
        signal.signal(signal.SIGINT, before)


def say_interrupted(name: str) -> int:
    """Say that Ctrl-C ended a command; returns its exit status."""
    print(f"{name}: interrupted", file=sys.stderr)
    return INTERRUPTED


def check_options(args: argparse.Namespace) -> None:
    """Refuse numbers out of bounds, and a device that is not here.

    Raises:
        ValueError: Naming the option.
    """
    for name, value in vars(args).items():
        if name in NUMBERS and value is not None:
            try:
                check_number(name, value)
            except ValueError as error:
                raise ValueError(f"--{error}") from None
    if (device := getattr(args, "device", "cpu")) != "cpu":
        import torch

        try:
            torch.zeros(1, device=device).item()
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(
                f"--device: {device!r} cannot be used ({reason}); try cpu or cuda"
            ) from error


def load(work: str) -> Callable:
    """The function of ``module:function``."""
    module, name = work.split(":")
    return getattr(importlib.import_module(module), name)
