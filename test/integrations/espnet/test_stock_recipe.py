"""The commands that ESPnet's stock ``ssl.sh`` gives, on audio without labels."""

import os
import subprocess
import sys

import pytest
import yaml
from espnet_case import SSL_CONF, write_task
from factories import ROOT

pytestmark = pytest.mark.integration

PYTHON = [sys.executable, "-m", "espnet_uniwav.run"]
TINY = dict(
    encoder_conf=dict(num_layers=2, embed_dim=16, num_heads=2, ffn_dim=32),
    batch_bins=16000,
    num_iters_per_epoch=3,
    max_epoch=1,
    num_workers=0,
)


def call(folder, *args):
    result = subprocess.run(
        [*PYTHON, *args],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )
    assert result.returncode == 0, result.stderr[-3000:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    conf = {**yaml.safe_load(SSL_CONF.read_text()), **TINY}
    conf["loss"][0]["conf"]["num_codebooks"] = 1
    conf["loss"][1]["conf"]["decoder"] = dict(num_layers=2, num_heads=2, ffn_dim=32)
    folder = tmp_path_factory.mktemp("recipe")
    return write_task(folder, conf, [6400 + 300 * i for i in range(6)])


def stage(folder, shapes, output_dir, *more):
    """What stages 6 and 7 have in common, ``--ssl_args`` at the end."""
    options = ["-m", "espnet2.bin.ssl_train", *more, "--config", "conf.yaml"]
    options += ["--token_list", "tokens", "--output_dir", output_dir]
    for name in ("train", "valid"):
        options += [f"--{name}_data_path_and_name_and_type", "wav.scp,speech,sound"]
        options += [f"--{name}_shape_file", shapes.format(name=name)]
    options += ["--frontend_conf", "fs=16k", "--use_preprocessor", "true"]
    call(folder, *options, "--use_preprocessor", "false")


def test_collect_stats_then_train(folder):
    stage(folder, "wav.scp", "stats", "--collect_stats", "true", "--normalize", "none")
    shapes = (folder / "stats/train/speech_shape").read_text().split()
    assert shapes[:2] == ["utt0", "6400"]
    stage(folder, "stats/{name}/speech_shape", "exp", "--normalize", "null")
    assert (folder / "exp/1epoch.pth").exists()
