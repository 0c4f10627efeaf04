"""The recipe from audio to table, with S3PRL's own downstream code."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from superb_case import RECIPE, write_corpus


@pytest.mark.integration
def test_recipe_runs_s3prl_and_agrees_with_its_scores(tmp_path):
    corpus = write_corpus(tmp_path / "kaldi")
    exp = tmp_path / "exp"
    options = {
        **{"--folders": corpus, "--data": tmp_path / "d", "--expdir": exp},
        **{"--tasks": "pr asr sid asv", "--steps": 4, "--lrs": "1e-3 1e-2"},
        **{"--upstreams": "fbank=fbank"},
        **{"--python": f"{sys.executable} -m espnet_uniwav.run"},
    }
    command = [
        str(RECIPE / "run.sh"),
        *(str(x) for own in options.items() for x in own),
    ]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, env=env, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (guessed,) = (tmp_path / "d/pr/guessed.txt").read_text().splitlines()
    assert guessed.startswith("ZZYXQ ")
    with open(exp / "runs.csv", newline="") as file:
        runs = list(csv.DictReader(file))
    assert len(runs) == 8
    for row in runs:
        if row["chosen"] == "yes":
            check(row, exp)
    table = (exp / "table.md").read_text().splitlines()
    assert [line.split("|")[1].strip() for line in table[2:]].count("SID") == 4


def check(row: dict, exp: Path) -> None:
    """Our score of test is the one that the harness printed."""
    printed = {
        "pr": ("test per: ", "test_PER", 100),
        "asr": ("test-clean wer: ", "test_WER", 1),
        "sid": ("test acc: ", "test_accuracy", 100),
        "asv": ("sv-voxceleb1/test-EER: ", "test_EER", 100),
    }
    words, column, scale = printed[row["task"]]
    name = f"lr{float(row['lr']):g}_seed{row['seed']}_steps{row['steps']}"
    log = (exp / row["task"] / "fbank" / name / "harness.log").read_text()
    (found,) = re.findall(re.escape(words) + r"([0-9.e+-]+)", log)
    assert float(row[column]) == pytest.approx(scale * float(found), abs=0.01)
