"""The command line of a function: its signature, and its docstring as help.

What is here imports nothing heavy, so that ``uniwav NAME --help`` is immediate.
"""

from __future__ import annotations

import argparse
import ast
import re
from pathlib import Path

from espnet_uniwav.cli.signature import REQUIRED, Argument, read_arguments
from espnet_uniwav.io.units import count, seconds

# Shared options stand in this order, other ones in place of "".
ORDER = ("checkpoint", "model", "config", "tokenizer", "prompt", "", "num_utterances")
ORDER += ("speed", "num_steps", "method", "guidance_scale", "temperature", "seed")
ORDER += ("vocoder", "num_workers", "allow_failed", "device")
SHORT = {"num_workers": "--nj"}  # as in Kaldi
# Options with a unit.
UNITS = dict.fromkeys(("max_frames", "shard_size"), count)
UNITS |= dict.fromkeys(("start", "end", "context", "mask_span"), seconds)
UNITS |= dict.fromkeys(("seconds", "min_seconds", "max_seconds"), seconds)


def make_parser(
    prog: str, path: Path, function: str, usage: str = "", text: str = ""
) -> argparse.ArgumentParser:
    """The command line of a function.

    Args:
        prog: Program, as the help shows it.
        path: Source file of the function.
        function: Its name.
        usage: What a signature does not say. ``name``: a positional argument, not an
            option; ``name=value``: a default of the command line alone; ``(a|b)``,
            ``[a|b]``: options of which one is given, or at most one.
        text: Description; ``examples:`` and what follows stand below the options.
    """
    description, head, examples = text.partition("examples:\n")
    parser = argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=head + examples,
        formatter_class=_HelpFormatter,
    )
    arguments = {own.name: own for own in read_arguments(path, function)}
    words, places = usage.split(), dict.fromkeys(arguments, parser)
    defaults = dict(word.split("=") for word in words if "=" in word)
    for group in (word for word in words if word[0] in "(["):
        place = parser.add_mutually_exclusive_group(required=group[0] == "(")
        places.update(dict.fromkeys(group[1:-1].split("|"), place))
    positional = [word for word in words if word in arguments]
    options = [name for name in arguments if name not in positional]
    for name in positional:
        own = arguments[name]
        parser.add_argument(name, help=_help(own, options), **_positional(own))
    for name in sorted(options, key=_place):
        own = arguments[name]
        default = defaults.get(name, own.default)
        places[name].add_argument(
            *filter(None, (f"--{name}", SHORT.get(name))),
            help=_help(own, options),
            required=default is REQUIRED,
            default=_default(default),
            **_reading(name, own.kind, default),
        )
    return parser


def _place(option: str) -> int:
    return ORDER.index(option if option in ORDER else "")


def _positional(own: Argument) -> dict:
    reading = _reading(own.name, own.kind)
    optional = own.default is not REQUIRED
    if reading.pop("action", None):
        reading["nargs"] = "*" if optional else "+"
    elif optional:
        reading["nargs"] = "?"
    return {**reading, "default": _default(own.default)}


def _default(value: object) -> object:
    return [] if value == () else None if value is REQUIRED else value


def _reading(name: str, kind: str, default: object = None) -> dict:
    """How an annotation is read: arguments of ``add_argument``."""
    if several := re.fullmatch(r"(?:.+ (\|) )?Sequence\[(.+)\]", kind):
        # One or several: the option is repeated. A list replaces a default list.
        action = "append" if several[1] else "store" if default else "extend"
        nargs = {} if several[1] else {"nargs": "+"}
        return {**_reading(name, several[2]), "action": action, **nargs}
    if pair := re.fullmatch(r"tuple\[(.+), \1\]", kind):
        return {**_reading(name, pair[1]), "nargs": 2}
    if kind == "bool":
        return {"action": argparse.BooleanOptionalAction if default else "store_true"}
    if kind.startswith("Literal"):
        return {"choices": ast.literal_eval(f"({kind[8:-1]},)")}
    if kind == "NamedFolder":
        return {"type": named_folder, "metavar": "[NAME=]FOLDER"}
    return {"type": UNITS.get(name) or TYPES[kind]}


def _help(own: Argument, options: list[str]) -> str:
    """The first sentence of a description, in the words of a command line."""
    said = re.split(r"\.(?= [A-Z])", own.meaning)[0].rstrip(".").replace("%", "%%")
    said = re.sub(r",? see ``\w+``", "", said)
    said = re.sub(r"; None: (.+)$", r" (default: \1)", said)
    if re.match(r".+ \| Sequence", own.kind):
        said += "; repeat the option for several"
    named = r"``(%s)``" % "|".join(options)
    return re.sub(named, r"--\1", said).replace("``", "`")


def number_or_name(text: str) -> int | str:
    """A whole number, or a name."""
    return int(text) if text.isdigit() else text


def named_folder(text: str) -> tuple[str, Path]:
    """Split ``NAME=FOLDER``; without a name, the experiment's folder gives it."""
    name, _, folder = text.rpartition("=")
    folder = Path(folder)
    parts = [part for part in folder.parts if part not in ("checkpoint", "..", "/")]
    return name or (parts[-1] if parts else "checkpoint"), folder


TYPES = {"str": None, "int": int, "float": float, "int | str": number_or_name}
TYPES |= {"Path": Path, "str | Path": Path}


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of descriptions and adds the defaults that say something."""

    def _get_help_string(self, action: argparse.Action) -> str:
        said, default = action.help or "", action.default
        if isinstance(default, (list, tuple)):
            default = " ".join(map(str, default))
        silent = isinstance(default, bool) or default in (None, "", argparse.SUPPRESS)
        known = silent or not action.option_strings or "default" in said
        return said if known else f"{said} (default: {default})"
