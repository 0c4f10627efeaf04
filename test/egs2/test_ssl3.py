"""The recipe of ESPnet3, from a corpus to a pack, by its own configurations."""

import os
import shutil
import subprocess
import sys

import pytest
import yaml
from corpus_case import noise, write, write_table
from factories import ROOT

from espnet_uniwav.io.config import resolve

pytest.importorskip("espnet3", reason="no espnet3: it needs Python 3.12 or newer")
pytest.importorskip("lightning", reason="no lightning: it is in the extra espnet3")

from espnet3.utils.config_utils import load_and_merge_config  # noqa: E402

RECIPE = ROOT / "egs2/mini_librispeech/ssl3"


def read(name: str, role: str):
    package = "espnet_uniwav.integrations.espnet3"
    return load_and_merge_config(RECIPE / "conf" / name, f"{role}.yaml", package)


def test_it_is_the_small_of_espnet2():
    found = read("train_small.yaml", "training")
    expected = resolve(ROOT / "egs2/mini_librispeech/ssl1/conf/train_small.yaml")
    for part in ("encoder_conf", "loss", "util", "frontend", "encoder", "model"):
        assert found.model[part] == expected[part]
    for key, value in expected["optim_conf"].items():
        assert found.optimizer[key] == value
    for key, value in expected["scheduler_conf"].items():
        assert found.scheduler[key] == value
    loader = found.dataloader.train.iter_factory
    assert loader.num_iters_per_epoch == expected["num_iters_per_epoch"]
    assert loader.batches.type == expected["batch_type"]
    assert loader.batches.batch_bins == expected["batch_bins"]
    assert found.trainer.max_epochs == expected["max_epoch"]
    assert found.trainer.gradient_clip_val == expected["grad_clip"]


@pytest.mark.integration
def test_from_a_corpus_to_a_pack(tmp_path):
    recipe = shutil.copytree(RECIPE, tmp_path / "ssl3")
    rows = []
    for i, split in enumerate(["train"] * 4 + ["dev"] * 2 + ["test"]):
        write(tmp_path / f"corpus/{i}.wav", noise(0.6 + 0.05 * i, seed=i))
        rows.append((f"u{i}", f"s{i}", f"{i}.wav", "A WORD", split))
    write_table(tmp_path / "corpus", rows)
    loader = dict(iter_factory=dict(num_workers=0))
    decoder = dict(num_layers=2, embed_dim=32, num_heads=2, ffn_dim=32)
    content = dict(
        defaults=["train_small"],
        create_dataset=dict(corpus="../corpus"),
        model=dict(
            encoder_conf=dict(num_layers=2, embed_dim=32, num_heads=2, ffn_dim=32),
            loss=[
                dict(name="dinosr", conf=dict(num_codebooks=2, codebook_size=16)),
                dict(name="flow_matching", conf=dict(decoder=decoder)),
            ],
        ),
        dataloader=dict(
            train=dict(iter_factory=dict(num_iters_per_epoch=2, num_workers=0)),
            valid=loader,
        ),
        trainer=dict(max_epochs=1, accelerator="cpu"),
    )
    (recipe / "conf/tiny.yaml").write_text(yaml.safe_dump(content))
    stages = "create_dataset collect_stats train export infer measure pack_model"
    command = [sys.executable, "run.py", "--stages", *stages.split()]
    command += ["--training_config", "conf/tiny.yaml"]
    for role in ("inference", "metrics", "publication"):
        command += [f"--{role}_config", f"conf/{role}.yaml"]
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
    ended = subprocess.run(command, cwd=recipe, env=env, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-3000:]
    pack = recipe / "exp/tiny/model_pack"
    found = {str(p.relative_to(pack)) for p in pack.rglob("*") if p.is_file()}
    names = "training inference metrics publication".split()
    assert found == {
        "meta.yaml",
        "metrics.json",
        *(f"conf/{name}.yaml" for name in names),
        *(f"exp/tiny/checkpoint/{n}" for n in ("config.yaml", "model.safetensors")),
    }
    for path in pack.rglob("*.yaml"):
        assert str(tmp_path) not in path.read_text(), path
    assert (recipe / "exp/tiny/inference/test/states.scp").read_text().split()
