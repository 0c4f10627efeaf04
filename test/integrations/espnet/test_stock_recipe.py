"""The commands that ESPnet's stock ``ssl.sh`` gives, on audio without labels."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import soundfile
import yaml
from factories import ROOT, make_speech

pytest.importorskip("espnet2")
pytestmark = pytest.mark.integration

CONF = ROOT / "egs2/mini_speech/ssl1/conf/train_tiny.yaml"
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
    folder = tmp_path_factory.mktemp("recipe")
    scp = ""
    for i in range(6):
        speech, _ = make_speech([6400 + 300 * i], seed=i)
        soundfile.write(folder / f"{i}.wav", speech[0].numpy(), 16000)
        scp += f"utt{i} {i}.wav\n"
    (folder / "wav.scp").write_text(scp)
    (folder / "tokens").write_text("<blank>\n<unk>\n<sos/eos>\n")
    conf = {**yaml.safe_load(CONF.read_text()), **TINY}
    conf["loss"][0]["conf"]["num_codebooks"] = 1
    conf["loss"][1]["conf"]["decoder"] = dict(num_layers=2, num_heads=2, ffn_dim=32)
    (folder / "conf.yaml").write_text(yaml.safe_dump(conf))
    return folder


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
