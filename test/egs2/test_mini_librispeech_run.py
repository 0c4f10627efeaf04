"""The recipes of mini LibriSpeech: what they add to those of mini_speech."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from factories import ROOT, make_config, make_model

from espnet_uniwav.apps.tokenizer.tokenizer import UniWavTokenizer
from espnet_uniwav.core.checkpoint import save_checkpoint
from espnet_uniwav.io.config import resolve
from espnet_uniwav.io.kaldi import read_table
from espnet_uniwav.lab.corpora.librispeech import PARTS
from espnet_uniwav.lab.corpora.transcripts import read_transcripts

OURS = shutil.ignore_patterns("data", "exp", "downloads", "report")


@pytest.fixture(scope="module")
def librispeech(tmp_path_factory):
    """LibriSpeech's layout: one short utterance in each part, a long one in test."""
    root = tmp_path_factory.mktemp("LibriSpeech")
    noise = 0.1 * np.random.default_rng(0).standard_normal(25 * 16000)
    utterances = [(*PARTS.values(), "test-clean"), ("1-1-0", "2-1-0", "3-1-0", "3-1-1")]
    for part, utt, samples in zip(*utterances, (8000, 8000, 8000, len(noise))):
        speaker, chapter, _ = utt.split("-")
        folder = root / part / speaker / chapter
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"{utt}.flac", noise[:samples], 16000)
        with (folder / f"{speaker}-{chapter}.trans.txt").open("a") as file:
            file.write(f"{utt} YES\n")
    return root


@pytest.fixture
def run(tmp_path):
    """Runs a recipe in a copy, so that nothing lands in the checkout."""
    shutil.copytree(ROOT / "egs2/mini_librispeech", tmp_path / "egs2/ours", ignore=OURS)
    (tmp_path / "egs2/mini_speech").symlink_to(ROOT / "egs2/mini_speech")
    (tmp_path / "espnet_uniwav").symlink_to(ROOT / "espnet_uniwav")
    bin = Path(sys.executable).parent
    env = {**os.environ, "PATH": f"{bin}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}

    def run(recipe, *options):
        command = [str(tmp_path / "egs2/ours" / recipe / "run.sh"), *map(str, options)]
        done = subprocess.run(command, env=env, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.mark.integration
def test_data_of_pretraining(run, librispeech, tmp_path):
    more = tmp_path / "more"
    more.mkdir()
    audio = librispeech / "train-clean-5/1/1/1-1-0.flac"
    (more / "transcripts.tsv").write_text(f"utt\tpath\tsplit\nx\t{audio}\ttrain\n")
    options = ["--librispeech", librispeech, "--more", more, "--stop_stage", 2]
    status, said = run("ssl1", *options)
    assert status == 0, said
    ours = tmp_path / "egs2/ours"
    assert [r.utt for r in read_transcripts(ours / "data/corpus_more")][-1] == "x"
    data = ours / "ssl1/data"
    assert list(read_table(data / "train/wav.scp")) == ["1-1-0", "x"]
    assert list(read_table(data / "dev/wav.scp")) == ["2-1-0"]
    status, said = run("ssl1", "--stage", 3, "--stop_stage", 2)
    assert status == 0 and not (ours / "downloads").exists(), said


@pytest.mark.integration
def test_data_with_texts(run, librispeech, tmp_path):
    options = ["--librispeech", librispeech]
    for recipe in ("asr1", "asr2", "tts1", "token1"):
        status, said = run(recipe, *options, "--stop_stage", 1)
        assert status == 0, said
        data = tmp_path / "egs2/ours" / recipe / "data"
        assert read_table(data / "train/text") == {"1-1-0": "YES"}
        assert read_table(data / "dev/text") == {"2-1-0": "YES"}
        # All of test-clean is recognised; what is longer than 20 s is not spoken.
        tested = ["3-1-0", "3-1-1"] if recipe.startswith("asr") else ["3-1-0"]
        assert list(read_table(data / "test/text")) == tested
        options = []


@pytest.mark.integration
def test_recognition_from_tokens(run, librispeech, tmp_path):
    """Stock training and decoding read the codes; the text of one word is scored."""
    torch.manual_seed(0)
    conf = dict(layer="learned", num_codebooks=2, codebook_size=16, frames_per_code=2)
    tokenizer = UniWavTokenizer(make_model(), **conf)
    config = {**make_config(), "tokenizer": conf}
    save_checkpoint(tokenizer, config, tmp_path / "tiny")
    options = ["--librispeech", librispeech, "--tokenizer", tmp_path / "tiny"]
    options += ["--num_workers", 0, "--expdir", "exp/tiny"]
    short = "--max_epoch 1 --num_iters_per_epoch 1 --keep_nbest_models 1"
    options += ["--inference_args", "--maxlenratio 0.02", "--lm_args", short]
    status, said = run("asr2", *options, "--asr_args", short)
    assert status == 0, said
    exp = tmp_path / "egs2/ours/asr2/exp/tiny"
    assert (exp / "src_token_list").read_text().startswith("<blank>\n<unk>\n")
    codes = read_table(exp / "codes/test/codes_1")
    assert list(codes) == ["3-1-0", "3-1-1"] and len(codes["3-1-0"].split()) == 13
    assert (exp / "decode_test/1best_recog/text").is_file()
    assert "| tiny | 1 |" in said and "bits a second" in said


@pytest.mark.parametrize("value", ("small", "mine"))
def test_a_checkpoint_is_a_name_or_a_folder(run, tmp_path, value):
    """What the recipe of mini_speech is given, from another folder."""
    ours = tmp_path / "egs2/ours/token1"
    (ours / "mine").mkdir()
    (tmp_path / "egs2/mini_speech").unlink()
    theirs = tmp_path / "egs2/mini_speech/token1/run.sh"
    theirs.parent.mkdir(parents=True)
    theirs.write_text('#!/bin/sh\necho "$@"\n')
    theirs.chmod(0o755)
    (theirs.parents[1] / "ssl1").mkdir()
    for name in ("ssl1/path.sh", "options.sh"):
        shutil.copy(ROOT / "egs2/mini_speech" / name, theirs.parents[1] / name)
    status, said = run("token1", "--stage", 2, "--checkpoint", value)
    assert status == 0, said
    expected = value if value == "small" else str(ours / value)
    assert said.rstrip().endswith(f"--checkpoint {expected}")


@pytest.mark.integration
def test_options_without_values_are_an_error(run, tmp_path):
    status, said = run("asr1", "--librispeech")
    assert status == 2 and "usage: " in said
    assert not (tmp_path / "egs2/ours/data").exists()


@pytest.mark.parametrize(
    "corpus, script",
    [("", "mini_speech/ssl1/run.sh --corpus"), ("mini_librispeech",) * 2],
)
def test_report_of_a_corpus_by_name(tmp_path, corpus, script):
    (tmp_path / "ready").touch()
    command = ["make", "-n", "report", f"CORPUS={corpus}", f"UNIWAV_ENV={tmp_path}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"egs2/{script}" in done.stdout and "report/index.html" in done.stdout


def test_configuration_of_pretraining():
    conf = resolve(ROOT / "egs2/mini_librispeech/ssl1/conf/train_small.yaml")
    assert conf["encoder"] == "uniwav" and conf["scheduler_conf"]["max_steps"] > 0
