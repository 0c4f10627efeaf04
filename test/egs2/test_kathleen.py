"""The recipe of the voice kathleen: what it passes to that of mini_speech."""

import shutil
import subprocess

import pytest
from factories import ROOT

EGS2 = ROOT / "egs2"
THEIRS = "mini_speech/tts1/run.sh"


@pytest.fixture
def recipe(tmp_path):
    """A copy of the recipe with one sentence, before one that prints its options."""
    (tmp_path / "mini_speech/tts1").mkdir(parents=True)
    (tmp_path / "mini_speech/ssl1").mkdir()
    for name in ("mini_speech/ssl1/path.sh", "mini_speech/options.sh"):
        shutil.copy(EGS2 / name, tmp_path / name)
    (tmp_path / THEIRS).write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / THEIRS).chmod(0o755)
    recipe = tmp_path / "kathleen/tts1"
    ignored = shutil.ignore_patterns("data", "exp", "downloads")
    shutil.copytree(EGS2 / "kathleen/tts1", recipe, ignore=ignored)
    (recipe / "clone/data").mkdir(parents=True)
    (recipe / "clone/data/1.txt").write_text("Yes.\n")
    return recipe


def run(recipe, *options):
    command = [recipe / "run.sh", *options]
    return subprocess.run(command, cwd="/", capture_output=True, text=True)


def passed(recipe, *options):
    done = run(recipe, *options, "--corpus", "clone")
    assert done.returncode == 0, done.stderr
    words = done.stdout.splitlines()
    return dict(zip(words[::2], words[1::2]))


def test_paths_are_relative_to_the_recipe(recipe):
    (recipe / "conf/mine.yaml").touch()
    (recipe / "mine").mkdir()
    given = {
        **{option: "mine" for option in ("--checkpoint", "--vocoder")},
        **{option: "new/one" for option in ("--data", "--exp", "--expdir")},
        **{"--student": "new/two", "--tts_config": "conf/mine.yaml"},
    }
    found = passed(recipe, *(word for pair in given.items() for word in pair))
    assert {option: found[option] for option in given} == {
        option: str(recipe / value) for option, value in given.items()
    }
    row = (recipe / "data/corpus/transcripts.tsv").read_text().splitlines()[1]
    assert row.split("\t")[2:] == [str(recipe / "clone/data/1.wav"), "Yes."]


def test_names_stay_as_they_are(recipe):
    names = {
        "--checkpoint": "base",
        "--vocoder": "none",
        "--tts_config": "conf/train_tts.yaml",
        "--expdir": "",
    }
    found = passed(recipe, *(word for pair in names.items() for word in pair))
    assert names.items() <= found.items()


def test_options_without_values_are_an_error(recipe):
    done = run(recipe, "--corpus")
    assert done.returncode == 2 and "usage: " in done.stderr
    assert not (recipe / "data").exists()
