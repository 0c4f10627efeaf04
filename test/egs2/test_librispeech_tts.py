"""The librispeech/tts1 recipe's own script: prompts in one text."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from factories import ROOT, save_model

RECIPE = ROOT / "egs2/librispeech/tts1"
# Stands for tts.sh: notes its arguments, and writes what decoding leaves.
TTS_SH = """#!/usr/bin/env bash
skip_scoring=false
echo "$*" >> calls
spoken=exp/tts_uniwav_100h/inference_x/test_prompted/wav
mkdir -p "$spoken" data/test_prompted
printf 'b /out/b.wav\\na /out/a.wav\\n' > "$spoken/wav.scp"
printf 'a /a.flac\\nb /b.flac\\nc /c.flac\\n' > data/test_prompted/references
printf 'a YES\\nb OH NO\\nc NO\\n' > data/test_prompted/words
"""
FILTER = """#!/usr/bin/env python3
import sys
keys = {line.split()[0] for line in open(sys.argv[1])}
print(*(x for x in open(sys.argv[2]) if x.split()[0] in keys), sep="", end="")
"""


def test_prompts_stand_in_front(run_script, tmp_path):
    columns = ("name", "text", "prompt", "prompt_text", "reference")
    row = ("a", "no", "/p.wav", "yes", "/r.wav")
    lines = "\n".join("\t".join(cells) for cells in (columns, row)) + "\n"
    (tmp_path / "lines.tsv").write_text(lines)
    script = "librispeech/tts1/local/prompted.py"
    run_script(script, tmp_path / "lines.tsv", tmp_path / "out")
    text = (tmp_path / "out/text").read_text()
    assert text == "a SIL Y EH S_E SIL <sos/eos> SIL N OW_E SIL\n"
    assert (tmp_path / "out/wav.scp").read_text() == "a /p.wav\n"
    assert (tmp_path / "out/words").read_text() == "a no\n"


@pytest.fixture
def recipe(tmp_path):
    """The recipe beside a checkout of ESPnet that notes how it was called."""
    template = tmp_path / "espnet/egs2/TEMPLATE"
    scripts = {"tts1/tts.sh": TTS_SH, "asr1/utils/filter_scp.pl": FILTER}
    for name, script in {**scripts, "asr1/cmd.sh": ""}.items():
        path = template / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script)
        path.chmod(0o755)
    folder = tmp_path / "egs2/librispeech/tts1"
    shutil.copytree(RECIPE, folder, ignore=shutil.ignore_patterns("data", "exp"))
    (tmp_path / "espnet_uniwav").symlink_to(ROOT / "espnet_uniwav")
    (tmp_path / "corpus/dev-clean").mkdir(parents=True)
    save_model(tmp_path / "checkpoint")
    modules = tmp_path / "modules"
    modules.mkdir()
    env = {**os.environ, "ESPNET_ROOT": str(tmp_path / "espnet")}
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    env["PYTHONPATH"] = str(modules)
    options = ["--librispeech", tmp_path / "corpus", "--hours", "100"]
    options += ["--checkpoint", tmp_path / "checkpoint"]

    def run(*more):
        command = [folder / "run.sh", *options, *more]
        return subprocess.run(command, env=env, capture_output=True, text=True)

    run.folder, run.modules = folder, modules
    return run


def test_stops_before_versa(recipe):
    done = recipe("--ngpu", "0")
    assert done.returncode == 0, done.stderr
    calls = (recipe.folder / "calls").read_text().splitlines()
    assert len(calls) == 2
    for call, own in zip(calls, ("--teacher_dumpdir", "--skip_data_prep")):
        assert f"--skip_scoring true {own}" in call
        assert call.endswith("--ngpu 0")
    assert not (recipe.folder / "data/versa").exists()


def test_versa_is_given_its_tables(recipe):
    done = recipe("--versa", "true")
    assert done.returncode == 2 and "needs the package versa" in done.stderr
    assert not (recipe.folder / "calls").exists()
    (recipe.modules / "versa").mkdir()
    (recipe.modules / "versa/__init__.py").touch()
    done = recipe("--versa", "true", "--ngpu", "0")
    assert done.returncode == 0, done.stderr
    *_, call = (recipe.folder / "calls").read_text().splitlines()
    assert call.endswith(
        "--ngpu 0 --skip_scoring false --stage 9 --stop_stage 9 "
        "--dumpdir data/versa --inference_tag inference_x"
    )
    wavs = recipe.folder / "exp/tts_uniwav_100h/inference_x/test_prompted/wav"
    assert (wavs / "wav_test.scp").read_text() == "b /out/b.wav\na /out/a.wav\n"
    data = recipe.folder / "data/versa/raw/test_prompted"
    assert (data / "wav_test.scp").read_text() == "a /a.flac\nb /b.flac\n"
    assert (data / "text").read_text() == "a YES\nb OH NO\n"
