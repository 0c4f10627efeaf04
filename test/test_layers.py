"""The layout in doc/architecture.md: who may import whom."""

import ast
import re
from pathlib import Path

import pytest

import espnet_uniwav

PACKAGE = Path(espnet_uniwav.__file__).parent
PAGE = PACKAGE.parent / "doc/architecture.md"
PLAIN = "apps"  # From here down: neither ESPnet nor S3PRL.
UNIX = {"fcntl", "grp", "pwd", "resource", "termios"}  # not on every system
LONGEST = 60  # lines of a function
# Rooms that alone import these packages, and that nobody imports.
ALONE = {
    "integrations/fairseq2": ["fairseq2"],
    "integrations/espnet3": ["espnet3", "lightning", "hydra", "omegaconf"],
    "lab/demo": ["gradio"],
}


def lines() -> list[list[str]]:
    """Files and folders of the layout, from top to bottom."""
    (block,) = re.findall(r"^```text\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    heads = [re.split(r" {3,}", line)[0] for line in block.splitlines()]
    return [re.sub(r"\.py|/", "", head).split() for head in heads]


RANK = {room: i for i, rooms in enumerate(lines()) for room in rooms}
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    """The folder right below the package, or the module itself."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(nodes) -> list[str]:
    """Modules that are imported by name."""
    froms = [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
    plain = [node.names for node in nodes if isinstance(node, ast.Import)]
    return [*filter(None, froms), *(a.name for names in plain for a in names)]


def test_all_parts_are_in_the_layout():
    there = {path.name for path in PACKAGE.iterdir() if path.name[0] not in "._"}
    assert {name.removesuffix(".py") for name in there} == set(RANK)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path):
    tree, room = ast.parse(path.read_text(encoding="utf-8")), room_of(path)
    if room == "__init__":
        return
    for name in imported(tree.body):
        package, _, rest = name.partition(".")
        if package == "espnet_uniwav" and rest:
            other = rest.partition(".")[0]
            assert RANK[other] >= RANK[room], f"{path} imports {name}"
    if RANK[room] >= RANK[PLAIN]:
        for name in imported(ast.walk(tree)):
            assert name.partition(".")[0] not in ("espnet", "espnet2", "s3prl")
    assert not {name.partition(".")[0] for name in imported(ast.walk(tree))} & UNIX
    for own, packages in ALONE.items():
        others = (*packages, f"espnet_uniwav.{own.replace('/', '.')}")
        if not path.is_relative_to(PACKAGE / own):
            assert not any(n.startswith(others) for n in imported(ast.walk(tree)))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_functions_fit_a_screen(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = ast.FunctionDef, ast.AsyncFunctionDef
    functions = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    long = [own for own in functions if own.end_lineno - own.lineno >= LONGEST]
    assert [(own.name, own.lineno) for own in long] == []
