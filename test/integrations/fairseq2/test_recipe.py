"""The recipe: ESPnet's losses, resumed, in two processes; what it saves."""

import functools
import json
import operator
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

pytest.importorskip("fairseq2.models")

import pretraining_case as case  # noqa: E402
from factories import ROOT  # noqa: E402
from fairseq2.utils.validation import StandardObjectValidator, ValidationError  # noqa: E402

from espnet_uniwav import load_checkpoint  # noqa: E402
from espnet_uniwav.integrations.fairseq2.export import load_step, main  # noqa: E402
from espnet_uniwav.integrations.fairseq2.recipe import PretrainConfig  # noqa: E402

TEST = ROOT / "test"
SCRIPT = Path(__file__).with_name("repeatable_recipe.py")
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
# name -> processes, keys of the configuration
RUNS = {
    "one": (1,),
    "ddp": (2,),
    "fsdp": (2, "trainer.data_parallelism=fsdp"),
}
# Two processes have five batches each in an epoch: not a multiple of this.
EVERY = 4


def recipe_config(wav_scp: Path) -> dict:
    """The case as a configuration of the recipe; every step is logged."""
    return dict(
        model=dict(arch=None, config_overrides=vars(case.CONFIG)),
        dataset=dict(
            config_overrides=dict(wav_scp=dict(train=str(wav_scp))),
            valid_split=None,
            max_seconds=case.SECONDS,
            shuffle=False,
        ),
        trainer=dict(max_grad_norm=case.CLIP),
        optimizer=dict(config=dict(lr=case.LR, betas=list(case.BETAS))),
        lr_scheduler=dict(config=dict(stage_ratio=[0.0, 1.0, 0.0])),
        regime=dict(
            num_steps=case.STEPS,
            publish_metrics_every_n_steps=1,
            validate_every_n_steps=None,
            checkpoint_every_n_steps=EVERY,
            keep_last_n_checkpoints=None,
        ),
        common=dict(no_sweep_dir=True),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipe")
    config = recipe_config(case.write_recordings(folder))
    (folder / "conf.yaml").write_text(yaml.safe_dump(config))
    return folder


def start(command: list, folder: Path, *keys: str) -> None:
    """Run a recipe to its end."""
    paths = os.pathsep.join(map(str, [TEST.parent, TEST, SCRIPT.parent]))
    keys = ["--config", *keys] if keys else []
    ended = subprocess.run(
        [sys.executable, *map(str, command), str(folder), "--no-rich", *keys],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]


def train(folder: Path, name: str, processes: int, *keys: str) -> list[float]:
    """Losses of every step so far."""
    command = [*(TORCHRUN if processes > 1 else []), SCRIPT]
    command += ["--config-file", folder / "conf.yaml"]
    start(command, folder / name, *keys)
    lines = (folder / name / "metrics/train.jsonl").read_text().splitlines()
    return [json.loads(line)["Loss"] for line in lines]


@pytest.fixture(scope="module")
def losses(folder):
    """Losses of one of ``RUNS``, which is trained when first asked for."""
    return functools.cache(lambda name: train(folder, name, *RUNS[name]))


def step(folder: Path, name: str, number: int = case.STEPS) -> Path:
    return folder / name / f"checkpoints/step_{number}"


def saved(folder: Path) -> dict[str, dict]:
    """Tensors of every process."""
    files = sorted(folder.glob("model/pp_00/tp_00/sdp_*.pt"))
    return {path.name: torch.load(path, weights_only=True) for path in files}


@pytest.mark.parametrize("name", RUNS)
def test_ten_losses_are_those_of_espnet(losses, name):
    expected = case.recorded(processes=RUNS[name][0])
    assert losses(name) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", RUNS)
def test_resumed_equals_never_stopped(folder, losses, name):
    """Without its last checkpoints, a run goes on from the one before."""
    whole = losses(name)
    shutil.copytree(folder / name, folder / f"resumed-{name}")
    for number in (2 * EVERY, case.STEPS):
        shutil.rmtree(step(folder, f"resumed-{name}", number))
    again = train(folder, f"resumed-{name}", *RUNS[name])
    assert again == whole + whole[EVERY:]
    expected = saved(step(folder, name))
    found = saved(step(folder, f"resumed-{name}"))
    assert len(found) == len(expected) == (2 if name == "fsdp" else 1)
    for file, tensors in expected.items():
        for name, value in tensors.items():
            assert torch.equal(found[file][name], value), name


def test_fsdp_trains_the_weights_of_ddp(folder, losses):
    for name in ("ddp", "fsdp"):
        losses(name)
    found, expected = (load_step(step(folder, name))[0] for name in ("fsdp", "ddp"))
    for name, value in expected.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], value, msg=name)
    found, expected = (saved(step(folder, name)) for name in ("fsdp", "ddp"))
    names = [n for n in expected["sdp_00.pt"] if n.startswith("dinosr.teacher.network")]
    assert names
    for shard in found.values():
        for name in names:
            value = expected["sdp_00.pt"][name]
            torch.testing.assert_close(shard[name], value, msg=name)


@pytest.mark.parametrize("name", RUNS)
def test_a_step_becomes_a_checkpoint(folder, losses, name, tmp_path):
    losses(name)
    main([str(step(folder, name)), str(tmp_path / "checkpoint")])
    found = load_checkpoint(tmp_path / "checkpoint").state_dict()
    shards = saved(step(folder, name))
    for tensor in ("encoder.mask_embedding", "encoder.input_projection.weight"):
        parts = torch.cat([part[tensor] for part in shards.values()])
        assert torch.equal(found[tensor], parts), tensor


@pytest.mark.parametrize(
    "file, content, said",
    [
        ("model/pp_00/tp_00/sdp_00.pt", None, "copy the shards of all processes"),
        ("model/pp_00/tp_00/sdp_01.pt", None, "copy the shards of all processes"),
        ("model/pp_00/tp_00/sdp_01.pt", "damaged", "damaged file"),
        ("../model.yaml", "model_family: wav2vec2", "expected .*, found wav2vec2"),
    ],
)
def test_a_broken_step_is_an_error(folder, losses, tmp_path, file, content, said):
    losses("fsdp")
    shutil.copytree(folder / "fsdp", tmp_path / "fsdp")
    path = step(tmp_path, "fsdp") / file
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(SystemExit, match=said):
        main([str(step(tmp_path, "fsdp")), str(tmp_path / "checkpoint")])
    assert not (tmp_path / "checkpoint").exists()


def test_bf16_stays_close(folder, losses):
    keys = ["model.config_overrides.bf16=true", f"regime.num_steps={EVERY}"]
    found, expected = train(folder, "bf16", 1, *keys), losses("one")[:EVERY]
    assert found == pytest.approx(expected, rel=1e-2)
    assert found != pytest.approx(expected, rel=1e-6)


@pytest.mark.integration
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
@pytest.mark.parametrize("name, backend", [("one", "inductor"), ("fsdp", "eager")])
def test_compiled_layers_change_no_loss(folder, name, backend):
    """Without dropout, whose draws are others when compiled."""
    keys = [*RUNS[name], "regime.num_steps=2"]
    keys += ["model.config_overrides.encoder.dropout=0.0"]
    expected = train(folder, f"eager-{name}", *keys)
    keys += ["model.compile=true", f"model.compile_options.backend={backend}"]
    found = train(folder, f"compiled-{name}", *keys)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "part, key, value",
    [
        ("model", "dtype", torch.bfloat16),
        ("trainer.mixed_precision", "mode", "static"),
        ("trainer.fsdp", "version", "v1"),
        ("trainer.fsdp", "granularity", "model"),
    ],
)
def test_what_trains_wrongly_is_refused(part, key, value):
    config = PretrainConfig()
    config.trainer.data_parallelism = "fsdp"
    StandardObjectValidator().validate(config)
    setattr(operator.attrgetter(part)(config), key, value)
    with pytest.raises(ValidationError) as caught:
        StandardObjectValidator().validate(config)
    (message,) = caught.value.result.errors
    assert message.startswith(f"{part}.{key}: ") and str(value) in message


def test_the_command_trains_and_validates(folder):
    """With its defaults but for the data, the size and the steps."""
    keys = {
        "dataset.config_overrides.wav_scp.train": folder / "wav.scp",
        "dataset.config_overrides.wav_scp.valid": folder / "wav.scp",
        "dataset.max_seconds": 2,
        "model.config_overrides.encoder.num_layers": 4,
        "regime.num_steps": 2,
        "regime.validate_every_n_steps": 1,
        "regime.publish_metrics_every_n_steps": 1,
        "common.no_sweep_dir": "true",
    }
    keys = [f"{key}={value}" for key, value in keys.items()]
    start(
        ["-m", "espnet_uniwav.integrations.fairseq2.recipe"], folder / "command", *keys
    )
    lines = (folder / "command/metrics/valid.jsonl").read_text().splitlines()
    assert len(lines) == 2 and all(json.loads(line)["Loss"] > 0 for line in lines)
