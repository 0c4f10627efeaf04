"""The pages: every command, yaml key, import and link that they show exists."""

import argparse
import ast
import functools
import inspect
import re
import runpy
import shlex
from importlib import import_module, util
from pathlib import Path

import pytest
import yaml

from espnet_uniwav import plugin
from espnet_uniwav.cli import uniwav

ROOT = Path(__file__).parents[1]
PLACES = ("*.md", "doc/*.md", "egs2/*/README.md", "egs2/*/*/README.md")
PAGES = [page for place in PLACES for page in ROOT.glob(place)]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
OTHERS = {"cd", "export", "git", "pip", "printf", "./ssl.sh"}  # not checked
TASKS = ("asr:ASRTask", "gan_codec:GANCodecTask", "ssl:SSLTask", "tts:TTSTask")


def blocks(language):
    """Fenced blocks of a language, with their page and line."""
    for page in sorted(PAGES):
        text = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            line = text[: match.start()].count("\n") + 1
            if match[1] == language:
                place = f"{page.relative_to(ROOT)}:{line}"
                yield pytest.param(page, match[2], id=place)


@functools.cache
def reference() -> dict:
    """What doc/reference.py defines."""
    pytest.importorskip("espnet2")
    plugin.register()
    return runpy.run_path(str(ROOT / "doc/reference.py"))


@functools.cache
def known_arguments() -> dict[tuple[str, str], set[str]]:
    """Key and name -> what the classes of that name, and their bases, take."""
    known = {}
    for title, classes in reference()["sections"]():
        if classes:
            names = known.setdefault((title[0], title[1].split()[0]), set())
            names |= set(reference()["arguments"](classes))
            for base in (base for cls in classes for base in cls.__mro__):
                names |= set(inspect.signature(base.__init__).parameters)
    return known


@functools.cache
def espnet_options() -> set[str]:
    """Top-level keys of ESPnet's tasks, and ours."""
    tasks = [plugin._load(f"espnet2.tasks.{task}") for task in TASKS]
    actions = [action for task in tasks for action in task.get_parser()._actions]
    return {"include", *(action.dest for action in actions)}


def test_the_reference_is_complete_and_up_to_date():
    written = (ROOT / "doc/reference.md").read_text(encoding="utf-8")
    assert written == reference()["page"](), "PYTHONPATH=. python doc/reference.py"
    listed = {cls for _, classes in reference()["sections"]() for cls in classes}
    for entries in plugin.ESPNET.values():
        assert {plugin._load(target) for _, _, target in entries} <= listed


@pytest.mark.parametrize("page, text", blocks("yaml"))
def test_yaml(page, text):
    conf = yaml.safe_load(text)
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
    if conf.get("distil"):
        check_arguments("distil", "of", conf["distil"])
    if key == "loss" and conf.get("decoder"):
        check_arguments("decoder", "of", conf["decoder"])


@pytest.mark.parametrize("page, text", blocks("python"))
def test_python(page, text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            module = getattr(node, "module", None) or node.names[0].name
            optional = {"fairseq2", "espnet3", "espnetez", "SoundCodec"}
            for name in optional & set(module.split(".")):
                pytest.importorskip({"fairseq2": "fairseq2.models"}.get(name, name))
            if module.startswith("espnet_uniwav"):
                for alias in node.names:
                    assert hasattr(import_module(module), alias.name), alias.name
            else:
                assert util.find_spec(module.partition(".")[0]), f"no module {module}"


class Parsed(Exception): ...


@pytest.fixture
def parser(monkeypatch):
    """Commands parse their arguments and stop, or fail with the parser's words."""
    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(self, args=None, namespace=None):
        parse(self, args, namespace)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    monkeypatch.setattr(
        argparse.ArgumentParser, "error", lambda _, said: pytest.fail(said)
    )


@pytest.mark.parametrize("page, text", blocks("bash"))
def test_commands(page, text, parser):
    folder = page.parent
    for command in commands(text):
        if command[0] == "cd":
            folder = existing(command[1], folder)
        print(" ".join(command))  # the last one is at fault
        check_command(command, folder)


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
            yield command[: command.index(">")] if ">" in command else command
            command = []


def check_command(command: list[str], folder: Path) -> None:
    name, args = command[0], command[1:]
    if name == "uniwav":
        with pytest.raises(Parsed):
            uniwav.main(args)
    elif name == "make":
        text = (ROOT / "Makefile").read_text()
        known = re.findall(r"^([\w-]+)(?::| [?:]?=)", text, re.M)
        assert {arg.partition("=")[0] for arg in args} <= set(known)
    elif name.endswith("run.sh"):
        check_recipe(existing(name, folder), args)
    elif name.endswith(".sh") and name not in OTHERS:  # a thin caller of one module
        script = existing(name, folder)
        if recipe_options(script):
            return check_recipe(script, args)
        script = script.read_text(encoding="utf-8")
        with pytest.raises(Parsed):
            import_module(re.search(r"-m (\S+)", script)[1]).main(args)
    elif name == "python" and args[:2] == ["-m", "espnet_uniwav.run"]:
        check_command(["python", *args[2:]], folder)
    elif name == "python" and args[0] == "-m":
        assert util.find_spec(args[1]), f"no module {args[1]}"
    elif name == "python":
        existing(args[0], folder)
    else:
        assert name in OTHERS, f"unknown program {name}"


def recipe_options(script: Path) -> list[str]:
    """Options are listed between ``stage=1`` and an empty line."""
    block = re.search(r"^stage=1\b.*?^$", script.read_text(), re.M | re.S)
    return re.findall(r"^(\w+)=", block[0], re.M) if block else []


def check_recipe(script: Path, args: list[str]) -> None:
    """A recipe knows its own options; mini LibriSpeech's also those of mini_speech."""
    script = script.resolve()
    text, known = script.read_text(), recipe_options(script)
    if script.parts[-3] == "mini_librispeech":
        own = ROOT / "egs2/mini_speech" / script.parts[-2] / "run.sh"
        known = ["librispeech", "more", "all", *recipe_options(own)]
    for option in args[::2] if '"$@"' not in text else ():
        assert option == "..." or option.removeprefix("--") in known, f"no {option}"


def existing(path: str, folder: Path) -> Path:
    """A path from a folder of the page, or from the root of the repository."""
    return [base / path for base in (folder, ROOT) if (base / path).exists()][0]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    links = re.findall(r"\]\((?!http)([^)\s]+)\)|src(?:set)?=\"([^\"]+)\"", text)
    for path, _, anchor in ("".join(pair).partition("#") for pair in links):
        target = page.parent / path if path else page
        assert target.exists(), path
        if anchor:
            heads = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.M)
            names = [re.sub(r"[^\w\- ]", "", head.lower()) for head in heads]
            assert anchor in [name.replace(" ", "-") for name in names]
