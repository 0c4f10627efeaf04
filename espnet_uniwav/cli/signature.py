"""Arguments of functions, read from their source files without importing these.

So the help of a command that needs torch does not wait for torch.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True)
class Argument:
    """An argument of a function, or a field of a dataclass.

    Attributes:
        name: Its name.
        kind: Its annotation without ``None``, such as ``str | Path``.
        default: Its default; ``REQUIRED`` if it has none.
        meaning: Its description in the docstring.
    """

    name: str
    kind: str
    default: object
    meaning: str


def describe_arguments(docstring: str | None) -> dict[str, str]:
    """Argument -> meaning, of a Google docstring's Args or Attributes."""
    text = inspect.cleandoc(docstring or "")
    meanings = {}
    for block in re.findall(r"^(?:Args|Attributes):\n((?:    .*\n?|\n)+)", text, re.M):
        for entry in re.split(r"\n(?=    \S)", block.rstrip()):
            names, _, meaning = entry.strip().partition(":")
            for name in names.split(","):
                meanings[name.strip(" *")] = " ".join(meaning.split())
    return meanings


def source_of(module: str) -> Path:
    """Source file of a module of this package."""
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def read_arguments(path: Path, function: str) -> list[Argument]:
    """The arguments of a function, in order.

    Those of ``**settings`` are the fields of the dataclass, or of the constant of that
    class, that its description names last.

    Args:
        path: Source file.
        function: Name of the function, or of a dataclass.

    Raises:
        LookupError, ValueError: If a name has no definition, or a default no value.
    """
    return list(_arguments(*_find(path, function)))


def _arguments(path: Path, node: ast.AST) -> Iterator[Argument]:
    meanings = describe_arguments(ast.get_docstring(node))
    for name, annotation, default in _declared(node):
        kind = ast.unparse(annotation).removesuffix(" | None")
        value = REQUIRED if default is None else _value(path, default)
        yield Argument(name, kind, value, meanings.get(name, ""))
    if rest := getattr(node, "args", None) and node.args.kwarg:
        yield from _settings(path, meanings[rest.arg])


def _declared(node: ast.AST) -> list[tuple[str, ast.AST, ast.AST | None]]:
    """Name, annotation and default of arguments, or of the fields of a dataclass."""
    if isinstance(node, ast.ClassDef):
        fields = [own for own in node.body if isinstance(own, ast.AnnAssign)]
        return [(own.target.id, own.annotation, own.value) for own in fields]
    names, defaults = node.args.args, node.args.defaults
    defaults = [*[None] * (len(names) - len(defaults)), *defaults]
    return [(own.arg, own.annotation, value) for own, value in zip(names, defaults)]


def _settings(path: Path, meaning: str) -> Iterator[Argument]:
    """What ``**settings`` takes; ``of the model``: what is not given is the model's."""
    path, node = _find(path, re.findall(r"``(\w+)``", meaning)[-1])
    values = {}
    if isinstance(node, ast.Call):
        call, (path, node) = node, _find(path, node.func.id)
        names = [name for name, *_ in _declared(node)]
        values = {own.arg: own.value for own in call.keywords}
        values.update(zip(names, call.args))
    for own in _arguments(path, node):
        if own.name in values:
            own = replace(own, default=_value(path, values[own.name]))
        if "of the model" in meaning:
            said = re.split(r"[.;] ", own.meaning.rstrip("."))[0]
            said += f"; None: that of the model, else {own.default}"
            own = replace(own, default=None, meaning=said)
        yield own


def _find(path: Path, name: str) -> tuple[Path, ast.AST]:
    """File and syntax of a name's definition, which may have been imported."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name:
            return path, node
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return path, node.value
        if isinstance(node, ast.ImportFrom):
            for own in node.names:
                if name == (own.asname or own.name):
                    return _find(source_of(node.module), own.name)
    raise LookupError(f"{path}: expected a definition of {name}, found none")


def _value(path: Path, node: ast.AST):
    """The value of a default: a literal, or a constant."""
    if isinstance(node, ast.Name):
        return _value(*_find(path, node.id))
    return ast.literal_eval(node)
