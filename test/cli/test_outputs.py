"""Outputs that cannot be written are named first, before a model is looked for."""

import os

import pytest
from factories import command

from espnet_uniwav.cli.commands import COMMANDS
from espnet_uniwav.cli.uniwav import parser_of

GAP = "--start 0 --end 1".split()
WORDS = "--text a --replace a --by b".split()
# Arguments of every command that writes; OUT is its output, nothing else is there.
FILES = {
    "edit": ["in.wav", "OUT", *WORDS, "--model", "none"],
    "infill": ["in.wav", "OUT", *GAP, "--checkpoint", "none"],
    "report": ["--exp", "none", "--output", "OUT"],
    "tts": ["--text", "a", "--output", "OUT", "--model", "none"],
}
FOLDERS = {
    "align": ["none", "OUT"],
    "cluster": ["none", "none", "OUT", "--layer", "1"],
    "codec": ["none", "none", "OUT"],
    "detokenize": ["none", "OUT"],
    "export": ["none", "OUT"],
    "extract": ["none", "OUT", "--config", "none"],
    "score": ["none", "a=none", "--output", "OUT"],
    "tokenize": ["none", "OUT"],
    "tts": ["--lines", "none", "--output", "OUT", "--model", "none"],
    "understand": ["--checkpoint", "none", "--data", "none", "--output", "OUT"],
}


def test_all_commands_that_write_are_here():
    dests = {name: {own.dest for own in parser_of(name)._actions} for name in COMMANDS}
    writing = {name for name, own in dests.items() if {"output", "experiment"} & own}
    assert writing == {*FILES, *FOLDERS}


@pytest.mark.parametrize("name", FILES)
def test_a_file(name, tmp_path):
    (tmp_path / "out.wav").mkdir()
    check(name, FILES[name], tmp_path, "expected a file to write, found a folder")


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder(name, tmp_path):
    (tmp_path / "out.wav").touch()
    check(name, FOLDERS[name], tmp_path, "expected a folder to write, found a file")


def check(name, words, folder, message):
    output = str(folder / "out.wav")
    argv = [output if word == "OUT" else word for word in words]
    with pytest.raises(SystemExit) as caught:
        command(name)(argv)
    assert str(caught.value) == f"{name}: {output}: {message}"
    assert os.listdir(folder) == ["out.wav"]


@pytest.mark.parametrize("name", ["edit", "infill", "tts"])
def test_an_extension_that_cannot_be_written(name, tmp_path):
    argv = [str(tmp_path / "a.m4a") if own == "OUT" else own for own in FILES[name]]
    with pytest.raises(SystemExit, match="a.m4a: expected a name that ends in .wav"):
        command(name)(argv)
