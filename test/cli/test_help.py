"""What ``uniwav`` and ``uniwav NAME --help`` say, and that the commands agree."""

import argparse
import inspect
import re
import shlex
import subprocess
import sys
from dataclasses import asdict

import pytest

from espnet_uniwav import __version__
from espnet_uniwav.apps.tokenizer.config import TokenizerConfig
from espnet_uniwav.cli import command, uniwav
from espnet_uniwav.cli.commands import COMMANDS
from espnet_uniwav.cli.uniwav import parser_of
from espnet_uniwav.core.flow import ode, sampling
from espnet_uniwav.io import audio

NAMES = list(COMMANDS)
SETTINGS = {*asdict(sampling.SPEAKING)}
# Options of one name that differ between commands, and what differs.
DIFFERENT = {
    "--checkpoint": "understand takes several, with names",
    "--config": "extract reads the features of a training's configuration",
    "--data": "export: in words, for the model card",
    "--guidance_scale": "off for gaps, on for speech",
    "--max_frames": "k-means of a tokenizer takes more",
    "--model": "tts and edit have one of their own; align needs none",
    "--method": "of the solver; align: of the alignment",
    "--num_codebooks": "cluster makes them, tokenize uses some",
    "--port": "demo takes the first free one",
    "--num_steps": "as guidance_scale",
    "--nj": "as num_workers",
    "--num_utterances": "report shows four",
    "--num_workers": "align takes all cores",
    "--output": "file, folder or either",
    "--seconds": "size: of any speech",
    "--temperature": "as guidance_scale",
    "--text": "what to read, or what is said",
    "--title": "of different pages",
    "--tokenizer": "demo takes several, or none",
}
# Packages of extras that the function of a command imports.
NEEDED = {"demo": "gradio"}
ORDER = (
    *("--checkpoint", "--model", "--config", "--tokenizer", "--prompt"),
    *("--num_utterances", "--speed", "--num_steps", "--guidance_scale"),
    *("--temperature", "--seed", "--vocoder", "--num_workers", "--device"),
)


def actions_of(name: str) -> list[argparse.Action]:
    return parser_of(name)._actions[1:]


def stop(main, argv) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(argv)
    return stopped.value.code


def test_help_lists_every_command_in_a_line(capsys):
    assert stop(uniwav.main, ["--help"]) == 0
    shown = capsys.readouterr().out
    for name in NAMES:
        first = COMMANDS[name].text.splitlines()[0]
        assert f"  {name:<12}{first}\n" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_version(capsys):
    assert stop(uniwav.main, ["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize(
    "argv, said",
    [
        ([], "tokens:\n  cluster "),
        (["tokenise"], "no command 'tokenise'; did you mean 'tokenize'?"),
        (["nonsense"], "no command 'nonsense'. Choose from align, extract,"),
    ],
)
def test_no_command_is_an_error(argv, said, capsys):
    assert stop(uniwav.main, argv) == 2
    shown = capsys.readouterr().err
    assert said in shown and "usage: uniwav [-h] [--version] COMMAND" in shown


@pytest.mark.parametrize("name", NAMES)
def test_help_has_an_example_that_can_be_parsed(name, capsys):
    assert stop(uniwav.main, [name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: uniwav {name}")
    examples = shown.partition("examples:\n")[2].replace("\\\n", " ").splitlines()
    assert examples
    for line in examples:
        program, own, *argv = split(line)
        assert (program, own) == ("uniwav", name)
        parser_of(name).parse_args(argv)


def split(line: str) -> list[str]:
    """Words of a command line, without what its output goes to."""
    return shlex.split(line.partition(" > ")[0])


@pytest.mark.parametrize("name", NAMES)
def test_every_argument_is_explained(name):
    assert [action.dest for action in actions_of(name) if not action.help] == []
    assert not re.search(
        r"[Aa]s of `|[Ss]ee `", " ".join(a.help for a in actions_of(name))
    )


def test_help_imports_nothing_heavy():
    code = (
        "import importlib, sys; from espnet_uniwav.cli import uniwav;"
        "uniwav.list_commands();"
        f"[uniwav.parser_of(name) for name in {NAMES}];"
        "print({'numpy', 'torch', 'espnet2', 'soundfile', 'tqdm'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout == "set()\n", found.stderr


def test_an_option_is_the_same_everywhere():
    seen = {}
    for name in NAMES:
        for action in actions_of(name):
            for option in action.option_strings:
                own = (action.type, repr(action.default), action.help, action.nargs)
                seen.setdefault(option, set()).add(own)
    assert {option for option, own in seen.items() if len(own) > 1} == set(DIFFERENT)


@pytest.mark.parametrize("name", NAMES)
def test_shared_options_stand_in_one_order(name):
    options = [option for a in actions_of(name) for option in a.option_strings]
    shared = [option for option in options if option in ORDER]
    assert shared == sorted(shared, key=ORDER.index)


@pytest.mark.parametrize("name", NAMES)
def test_a_function_takes_the_options_as_keywords(name):
    pytest.importorskip(NEEDED.get(name, "argparse"))
    work = command.load(f"espnet_uniwav.{COMMANDS[name].function}")
    parameters = dict(inspect.signature(work).parameters)
    if parameters.pop("conf", None):
        parameters.update(inspect.signature(TokenizerConfig).parameters)
    free = SETTINGS if parameters.pop("sampling", None) else set()
    actions = {action.dest: action for action in actions_of(name)}
    assert set(parameters) == set(actions) - free
    for key in parameters:
        default, action = parameters[key].default, actions[key]
        if default is inspect.Parameter.empty:
            assert action.required or action.default is not None, key
        elif isinstance(action.default, list):
            assert tuple(action.default) == default, key
        else:
            assert action.default == default, key


@pytest.mark.parametrize(
    "name, defaults",
    [
        ("infill", asdict(sampling.Sampling())),
        ("detokenize", asdict(sampling.SPEAKING)),
        ("tts", dict.fromkeys(SETTINGS)),
    ],
)
def test_settings_have_the_defaults_of_the_function(name, defaults):
    found = {a.dest: a for a in actions_of(name) if a.dest in SETTINGS}
    assert {key: action.default for key, action in found.items()} == defaults
    assert set(found["method"].choices) == set(ode.METHODS)
    shown = [action.help for action in found.values()]
    if name == "tts":
        for value, said in zip(asdict(sampling.SPEAKING).values(), shown):
            assert said.endswith(f"(default: that of the model, else {value})")


@pytest.mark.parametrize("name", ["infill", "edit", "tts"])
def test_formats_are_those_that_can_be_written(name):
    (output,) = [action for action in actions_of(name) if action.dest == "output"]
    assert re.findall(r"\.\w*\d?[a-z]\d?", output.help)[: len(audio.FORMATS)] == list(
        audio.FORMATS
    )


@pytest.mark.parametrize("work", ["espnet_uniwav.none:none", "json:loads"])
def test_only_expected_errors_are_one_line(work):
    parser = argparse.ArgumentParser(prog="some")
    parser.add_argument("--s", default="{")
    message = "^some: (No module named 'espnet_uniwav.none'|Expecting property name)"
    with pytest.raises(SystemExit, match=message):
        command.run_command(parser, work, [])
    with pytest.raises(ZeroDivisionError):
        command.run_command(parser, lambda s: 1 / len(s[1:]), [])


def test_names_of_old_keep_working():
    args = parser_of("align").parse_args(["data", "out", "--nj", "3"])
    assert args.num_workers == 3
