"""The pages: every command, yaml key, import and link that they show exists."""

from __future__ import annotations

import argparse
import ast
import functools
import importlib
import importlib.util
import inspect
import re
import shlex
from pathlib import Path

import pytest
import yaml

from espnet_uniwav import plugin

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("doc/*.md"), *ROOT.glob("egs2/*/*/README.md")]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
# Programs of others, whose arguments we do not know.
OTHERS = {"cd", "export", "git", "pip", "printf", "./ssl.sh"}


def blocks(*languages):
    """Fenced blocks of some languages, with their page and line."""
    found = []
    for page in sorted(PAGES):
        text = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            if match[1] in languages:
                place = (
                    f"{page.relative_to(ROOT)}:{text[: match.start()].count(chr(10))}"
                )
                found.append(pytest.param(page, match[2], id=place))
    return found


@functools.cache
def reference():
    """doc/reference.py as a module."""
    pytest.importorskip("espnet2")
    plugin.register()
    spec = importlib.util.spec_from_file_location(
        "reference", ROOT / "doc/reference.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def known_arguments() -> dict[tuple[str, str], set[str]]:
    """Key and name -> what the classes of that name, and their bases, take."""
    known = {}
    for title, classes in reference().sections():
        if classes:
            names = known.setdefault((title[0], title[1].split()[0]), set())
            names |= set(reference().arguments(classes))
            for base in (base for cls in classes for base in cls.__mro__):
                names |= set(inspect.signature(base.__init__).parameters)
    return known


@functools.cache
def espnet_options() -> set[str]:
    """Top-level keys of ESPnet's tasks."""
    found = {"include"}
    for task in ("asr.ASRTask", "gan_codec.GANCodecTask", "ssl.SSLTask", "tts.TTSTask"):
        module, name = task.split(".")
        task = getattr(importlib.import_module(f"espnet2.tasks.{module}"), name)
        found |= {action.dest for action in task.get_parser()._actions}
    return found


def test_the_reference_is_what_the_code_says():
    written = reference().PAGE.read_text(encoding="utf-8")
    assert written == reference().page(), "run: PYTHONPATH=. python doc/reference.py"


def test_the_reference_lists_every_registered_class():
    listed = {cls for _, classes in reference().sections() for cls in classes}
    for module, entries in plugin.ESPNET.items():
        for _, name, target in entries:
            assert plugin._load(target) in listed, f"{module}: {name} is not listed"


@pytest.mark.parametrize("page, text", blocks("yaml"))
def test_yaml(page, text):
    check_keys(yaml.safe_load(text))


def check_keys(conf: dict) -> None:
    for key, value in conf.items():
        assert key in espnet_options(), f"{key}: no task of ESPnet has this key"
        if key in ("loss", "util"):
            for entry in value:
                assert set(entry) == {"name", "conf"}
                check_arguments(key, entry["name"], entry["conf"] or {})
        elif key.endswith("_conf"):
            part = key.removesuffix("_conf")
            check_arguments(part, conf.get(part, "uniwav"), value)


def check_arguments(key: str, name: str, conf: dict) -> None:
    unknown = set(conf) - known_arguments()[key, name]
    assert not unknown, f"{key}: {name} has no {sorted(unknown)}"
    if conf.get("features_conf"):
        check_arguments("features", conf["features"], conf["features_conf"])
    if key == "loss" and conf.get("decoder"):
        check_arguments("decoder", "of", conf["decoder"])


@pytest.mark.parametrize("page, text", blocks("python"))
def test_python(page, text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            module = getattr(node, "module", None) or node.names[0].name
            if module.startswith("espnet_uniwav"):
                module = importlib.import_module(module)
                for alias in node.names:
                    assert hasattr(module, alias.name), alias.name
            else:
                assert importlib.util.find_spec(module.partition(".")[0]), module


class Parsed(Exception):
    """The arguments are good; nothing more is to be done."""


@pytest.fixture
def parser(monkeypatch):
    """Commands parse their arguments and stop, or fail with the parser's words."""
    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(self, args=None, namespace=None):
        parse(self, args, namespace)
        raise Parsed

    def fail(self, message):
        raise AssertionError(message)

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    monkeypatch.setattr(argparse.ArgumentParser, "error", fail)


@pytest.mark.parametrize("page, text", blocks("bash", "sh"))
def test_commands(page, text, parser):
    folder = page.parent
    for command in commands(text):
        if command[0] == "cd":
            folder = existing(command[1], folder)
        try:
            check_command(command, folder)
        except AssertionError as error:
            pytest.fail(f"{' '.join(command)}: {error}")


def commands(text: str):
    """The words of every command, without comments, assignments and redirections."""
    text = re.sub(r"(^|\s)#.*", r"\1", text.replace("\\\n", " "), flags=re.M)
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t", True, ""
    command = []
    for word in (*lexer, "\n"):
        if not word or set(word) - set(";&|\n"):
            if command or not re.match(r"\w+=", word):
                command.append(word)
        elif command:
            ends = [i for i, own in enumerate(command) if own in (">", ">>")]
            yield command[: ends[0]] if ends else command
            command = []


def check_command(command: list[str], folder: Path) -> None:
    name, args = command[0], command[1:]
    if name == "uniwav":
        check_ours(args[0], args[1:])
    elif name == "make":
        check_make(args)
    elif name.endswith("run.sh"):
        check_recipe(existing(name, folder), args)
    elif name in ("python", "python3") and args[0] == "-m":
        if args[1] == "espnet_uniwav.run":
            check_command(["python", *args[2:]], folder)
        elif args[1].startswith("espnet_uniwav.bin."):
            check_ours(args[1].rpartition(".")[2], args[2:])
        elif args[1] != "pytest":
            assert importlib.util.find_spec(args[1]), f"no module {args[1]}"
    elif name in ("python", "python3"):
        existing(args[0], folder)
    else:
        assert name in OTHERS, f"unknown program {name}"


def check_ours(name: str, args: list[str]) -> None:
    spec = importlib.util.find_spec(f"espnet_uniwav.bin.{name.replace('-', '_')}")
    assert spec, f"no command {name}"
    try:
        importlib.import_module(spec.name).main([arg for arg in args if arg != "..."])
    except Parsed:
        return
    except AssertionError as error:
        if "..." not in args or "required" not in str(error):
            raise


def check_make(args: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for arg in args:
        name, is_variable, _ = arg.partition("=")
        pattern = rf"^{name} \??=" if is_variable else rf"^{name}:"
        assert re.search(pattern, makefile, re.M), f"the Makefile has no {name}"


def check_recipe(script: Path, args: list[str]) -> None:
    """Options stand between ``stage=1`` and an empty line, or in a ``case``."""
    text = script.read_text()
    known = set(re.findall(r"^ +--(\w+)\) ", text, re.M))
    if block := re.search(r"^stage=.*?^$", text, re.M | re.S):
        known |= set(re.findall(r"^(\w+)=", block[0], re.M))
    for arg in args if known and '"$@"' not in text else ():
        if arg.startswith("--") and arg != "...":
            assert arg.removeprefix("--").partition("=")[0] in known, f"no {arg}"


def existing(path: str, folder: Path) -> Path:
    """A path from a folder of the page, or from the root of the repository."""
    found = [base / path for base in (folder, ROOT) if (base / path).exists()]
    assert found, f"{path}: not in {folder.relative_to(ROOT)}, nor in the root"
    return found[0].resolve()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    links = re.findall(r"\]\(([^)\s]+)\)|src(?:set)?=\"([^\"]+)\"", text)
    for link in ("".join(pair) for pair in links):
        if not re.match(r"https?:", link):
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def anchors(page: Path) -> set[str]:
    """GitHub's names of a page's headings."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
