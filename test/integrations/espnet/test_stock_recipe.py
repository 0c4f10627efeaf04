"""The options that ESPnet's stock ``ssl.sh`` gives, on audio without labels."""

import shutil

import pytest
import yaml
from espnet_case import SSL_CONF, train, write_task
from factories import SMALLEST

TINY = dict(
    encoder_conf=dict(embed_dim=16, **SMALLEST),
    batch_bins=16000,
    num_iters_per_epoch=3,
    max_epoch=1,
    num_workers=0,
)
# What its stages 6 and 7 have in common, ``--ssl_args`` at the end.
SAME = ["--frontend_conf", "fs=16k", "--use_preprocessor", "true"]
SAME += ["--use_preprocessor", "false"]


@pytest.mark.integration
def test_collect_stats_then_train(tmp_path):
    conf = {**yaml.safe_load(SSL_CONF.read_text()), **TINY}
    conf["loss"][0]["conf"]["num_codebooks"] = 1
    conf["loss"][1]["conf"]["decoder"] = SMALLEST
    write_task(tmp_path, conf, [6400 + 300 * i for i in range(6)])
    shutil.copy(tmp_path / "wav.scp", tmp_path / "shape")
    collect = ["--collect_stats", "true", "--normalize", "none"]
    shapes = train("ssl", tmp_path, "stats", *collect, *SAME) / "train/speech_shape"
    assert shapes.read_text().split()[:2] == ["utt0", "6400"]
    shutil.copy(shapes, tmp_path / "shape")
    exp = train("ssl", tmp_path, "exp", "--normalize", "null", *SAME)
    assert (exp / "1epoch.pth").exists()
