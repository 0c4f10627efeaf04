"""Stock ``ssl_train``: killed and resumed equals never stopped; then the export."""

import copy
import math
import os
import signal
import subprocess
import sys

import pytest
import torch
import yaml
from espnet_case import SSL_CONF, train_options, write_task
from factories import ROOT, make_speech

from espnet_uniwav.core.checkpoint import load_checkpoint
from espnet_uniwav.integrations.espnet.experiment import export_experiment
from espnet_uniwav.io.folder import read_config

pytestmark = pytest.mark.integration

STEPS, EPOCHS = 8, 3
# What depends on the clock and not on the model.
CLOCK = ("time", "seconds", "memory")
TINY = dict(
    encoder_conf=dict(
        num_layers=2, embed_dim=16, num_heads=2, ffn_dim=32, position="rotary"
    ),
    loss=[
        dict(name="dinosr", conf=dict(num_codebooks=1, codebook_size=8)),
        dict(
            name="flow_matching",
            conf=dict(decoder=dict(num_layers=2, num_heads=2, ffn_dim=32)),
        ),
    ],
    batch_bins=16000,
    num_iters_per_epoch=STEPS,
    max_epoch=EPOCHS,
    keep_nbest_models=EPOCHS,
    num_workers=0,
    log_interval=1,
    resume=True,
    use_matplotlib=False,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Twelve short utterances in a Kaldi-style folder, the configuration, tokens."""
    folder = tmp_path_factory.mktemp("data")
    conf = {**yaml.safe_load(SSL_CONF.read_text()), **copy.deepcopy(TINY)}
    write_task(folder, conf, [6400 + 300 * i for i in range(12)])
    conf["loss"][0]["conf"].update(heads="own_ffn", ema_schedule="exponential")
    (folder / "own_ffn.yaml").write_text(yaml.safe_dump(conf))
    return folder


# Several views of visible frames and heads of their own, beside gradient accumulation.
VISIBLE = ["--config", "own_ffn.yaml", "--encoder_conf", "visible_only=true"]
VISIBLE += ["--model_conf", "num_views=2", "--accum_grad", "2"]


def start(data, name, accum_grad):
    """Start ``ssl_train`` in a process of its own; its log comes through stderr."""
    command = [sys.executable, "-m", "espnet_uniwav.run", "-m", "espnet2.bin.ssl_train"]
    command += [*train_options(data, name), "--ngpu", "0"]
    command += VISIBLE if accum_grad > 1 else []
    return subprocess.Popen(
        command,
        cwd=data,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )


def finish(process):
    _, log = process.communicate(timeout=300)
    assert process.returncode == 0, log[-3000:]
    return log


def kill_in_epoch(process, epoch):
    """SIGKILL as soon as a step of the epoch is reported."""
    for line in process.stderr:
        if f"{epoch}epoch:train:2-2batch" in line:
            process.send_signal(signal.SIGKILL)
            break
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL


def scalars(experiment, phase, newest=False):
    """{tag: [(step, value)]} of TensorBoard's first or newest file."""
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    files = sorted(
        (experiment / "tensorboard" / phase).iterdir(), key=lambda p: p.stat().st_mtime
    )
    assert files
    read = event_accumulator.EventAccumulator(str(files[-1] if newest else files[0]))
    read.Reload()
    return {
        tag: [(e.step, e.value) for e in read.Scalars(tag) if math.isfinite(e.value)]
        for tag in read.Tags()["scalars"]
        if not any(word in tag for word in CLOCK)
    }


@pytest.fixture(scope="module", params=(1, 2), ids=("every_step", "accumulated"))
def experiments(request, data):
    """An unbroken run, and one killed in the second epoch and resumed."""
    accum_grad = request.param
    names = [f"{kind}{accum_grad}" for kind in ("unbroken", "broken")]
    unbroken, broken = (data / name for name in names)
    unbroken_process = start(data, names[0], accum_grad)
    kill_in_epoch(start(data, names[1], accum_grad), epoch=2)
    finish(unbroken_process)
    assert (broken / "1epoch.pth").is_file() and not (broken / "2epoch.pth").exists()
    log = finish(start(data, names[1], accum_grad))
    assert "The training was resumed using" in log
    return unbroken, broken


def test_every_step_from_the_checkpoint_on_is_the_same(experiments):
    unbroken, broken = (scalars(e, "train", newest=True) for e in experiments)
    for name in ("loss", "loss_dinosr", "loss_flow_matching", "grad_norm", "ema_decay"):
        assert broken[name] == [e for e in unbroken[name] if e[0] > STEPS], name
        assert len({step for step, _ in broken[name]}) >= (EPOCHS - 1) * STEPS / 2
    # Every step, and the mean of each epoch.
    assert len(broken["loss"]) == (EPOCHS - 1) * (STEPS + 1)
    assert set(broken) == set(unbroken)


def test_every_validation_from_the_checkpoint_on_is_the_same(experiments):
    unbroken, broken = (scalars(e, "valid", newest=True) for e in experiments)
    for name, events in broken.items():
        assert events == [e for e in unbroken[name] if e[0] > STEPS], name
        assert len(events) == EPOCHS - 1
    assert {"codes_used_0", "entropy_0", "target_perplexity_0"} <= set(broken)


def test_final_tensors_are_the_same_bit_for_bit(experiments):
    states = [
        torch.load(e / f"{EPOCHS}epoch.pth", weights_only=True) for e in experiments
    ]
    assert set(states[0]) == set(states[1])
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name
    start_state = torch.load(experiments[0] / "1epoch.pth", weights_only=True)
    name = "encoder.encoder.transformer.layers.0.fc1.weight"
    assert not torch.equal(start_state[name], states[0][name])


def test_updates_are_counted(experiments, request):
    state = torch.load(experiments[1] / f"{EPOCHS}epoch.pth", weights_only=True)
    accum_grad = 2 if "accumulated" in request.node.name else 1
    expected = EPOCHS * STEPS // accum_grad
    assert int(state["global_step"]) == expected
    assert int(state["losses.0.objective.teacher.num_updates"]) == expected


def test_export_loads_and_fills_in(experiments, tmp_path):
    exported = export_experiment(experiments[1], tmp_path / "export")
    model = load_checkpoint(tmp_path / "export")
    for name, value in exported.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name
    about = read_config(tmp_path / "export")["about"]
    assert about["model_file"] == f"{EPOCHS}epoch.pth"
    assert about["updates"] > 0 and about["training"]["max_epoch"] == EPOCHS
    x, lengths = model.features.extract(*make_speech([8000]))
    mask = torch.zeros(x.shape[:2], dtype=torch.bool)
    mask[:, 8:14] = True
    filled = model.infill(x, mask, num_steps=2)
    assert torch.equal(filled[~mask], x[~mask])
    assert filled.isfinite().all() and (filled[mask] != x[mask]).all()
    averaged = experiments[1] / "valid.loss.ave.pth"
    assert averaged.exists()
    export_experiment(experiments[1], tmp_path / "average", averaged.name)


def test_export_names_what_is_missing(experiments, tmp_path):
    with pytest.raises(FileNotFoundError, match="9epoch.pth is missing: .*latest.pth"):
        export_experiment(experiments[1], tmp_path, "9epoch.pth")
    with pytest.raises(FileNotFoundError, match="config.yaml is missing: .*output_dir"):
        export_experiment(tmp_path, tmp_path / "x")
    (tmp_path / "config.yaml").write_text("model: espnet\n")
    with pytest.raises(
        ValueError, match="expected frontend: uniwav.* found model: espnet"
    ):
        export_experiment(tmp_path, tmp_path / "x")
