"""The librispeech/asr1 recipe: what it says before asr.sh starts."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from factories import ROOT, save_model


@pytest.mark.parametrize("scorer", [False, True])
def test_a_missing_scorer_is_named_at_once(tmp_path, scorer):
    template = tmp_path / "espnet/egs2/TEMPLATE/asr1"
    template.mkdir(parents=True)
    programs = tmp_path / "bin"
    programs.mkdir()
    scripts = [template / "asr.sh", template / "cmd.sh"]
    scripts += [programs / "sclite"] if scorer else []
    for script in scripts:
        script.write_text("#!/usr/bin/env bash\necho called > called\n")
        script.chmod(0o755)
    folder = tmp_path / "egs2/librispeech/asr1"
    ours = shutil.ignore_patterns("data", "exp", "local", "utils")
    shutil.copytree(ROOT / "egs2/librispeech/asr1", folder, ignore=ours)
    (tmp_path / "espnet_uniwav").symlink_to(ROOT / "espnet_uniwav")
    save_model(tmp_path / "checkpoint")
    env = {**os.environ, "ESPNET_ROOT": str(tmp_path / "espnet")}
    env["PATH"] = f"{programs}:{Path(sys.executable).parent}:{env['PATH']}"
    done = subprocess.run(
        [folder / "run.sh", "--checkpoint", tmp_path / "checkpoint"],
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "called").exists()
    if scorer or not shutil.which("sclite"):
        assert ("apt-get install sctk" in done.stderr) is not scorer
