"""The entries of ``s3prl.hub``, and S3PRL's own wrappers around them."""

import subprocess
import sys

import pytest
import torch
import yaml
from factories import DIM, ROOT, TRANSFORMER, make_speech

from espnet_uniwav import plugin

pytest.importorskip("s3prl")
from espnet_uniwav.integrations.s3prl.hubconf import (
    uniwav_local,
    uniwav_random_local,
    uniwav_url,
)

NUM_STATES = TRANSFORMER["num_layers"] + 1


@pytest.fixture
def hub():
    plugin.register_s3prl()
    import s3prl.hub

    return s3prl.hub


def weights(upstream):
    return torch.cat([p.flatten() for p in upstream.parameters()])


def test_hub_knows_our_names(hub):
    entries = {e.__name__: e for e in (uniwav_local, uniwav_random_local, uniwav_url)}
    assert {n: getattr(hub, n) for n in entries} == entries
    assert {n for n in hub.options() if "uniwav" in n} == set(entries)
    assert not set(entries) & set(hub.options(only_registered_ckpt=True))


def test_entry_takes_what_run_downstream_gives(checkpoint, tmp_path):
    """See s3prl/downstream/runner.py, ``_get_upstream``."""
    trained = uniwav_local(ckpt=checkpoint, model_config=None, refresh=False)
    config = tmp_path / "random.yaml"
    config.write_text("random_seed: 3\n")
    control = uniwav_local(ckpt=str(checkpoint), model_config=config, refresh=True)
    same = uniwav_local(checkpoint, random_seed=3)
    assert torch.equal(weights(control), weights(same))
    assert not torch.equal(weights(control), weights(trained))


def test_random_control(checkpoint, tmp_path):
    control = uniwav_random_local(checkpoint, model_config=None, refresh=False)
    expected = uniwav_local(checkpoint, random_seed=0)
    assert torch.equal(weights(control), weights(expected))
    config = tmp_path / "random.yaml"
    config.write_text("random_seed: 3\n")
    control = uniwav_random_local(checkpoint, config)
    expected = uniwav_local(checkpoint, random_seed=3)
    assert torch.equal(weights(control), weights(expected))


@pytest.mark.parametrize("entry", (uniwav_local, uniwav_random_local, uniwav_url))
def test_missing_ckpt(entry):
    with pytest.raises(ValueError, match=f"{entry.__name__} needs .* as `-k`"):
        entry(ckpt=None, model_config=None, refresh=False)


def test_unknown_argument(checkpoint, tmp_path):
    config = tmp_path / "conf.yaml"
    config.write_text("random_sed: 3\n")
    with pytest.raises(TypeError, match="random_sed"):
        uniwav_local(checkpoint, config)
    config.write_text("- random_seed\n")
    with pytest.raises(ValueError, match="conf.yaml: expected a mapping.*found list"):
        uniwav_local(checkpoint, config)


def test_s3prl_upstream_and_featurizer(hub, checkpoint):
    from s3prl.nn import Featurizer, S3PRLUpstream

    upstream = S3PRLUpstream("uniwav_local", path_or_url=str(checkpoint)).eval()
    assert upstream.num_layers == NUM_STATES
    assert upstream.hidden_sizes == [DIM] * NUM_STATES
    assert upstream.downsample_rates == [320] * NUM_STATES
    featurizer = Featurizer(upstream)
    for lengths in ([1], [319, 1], [320, 2], [321, 640], [16000, 4321], [799, 801]):
        wavs, wavs_len = make_speech(lengths)
        states, states_len = upstream(wavs, wavs_len)
        frames = [len(range(0, length, 320)) for length in lengths]
        assert states_len[0].tolist() == frames
        z, z_len = featurizer(states, states_len)
        assert z.shape == (len(lengths), max(frames), DIM)
        assert z_len.tolist() == frames


def test_featurizer_of_the_harness(hub, checkpoint):
    """The one of ``run_downstream``, with its selections ``-s`` and ``-l``."""
    from s3prl.upstream.interfaces import Featurizer

    upstream = uniwav_local(checkpoint)
    wavs = [torch.randn(length) for length in (4000, 2500)]
    output = upstream(wavs)
    for selection, width in (
        (dict(), DIM),
        (dict(layer_selection=2), DIM),
        (dict(feature_selection="last_hidden_state"), DIM),
        (dict(feature_selection="features"), output["features"].shape[-1]),
    ):
        featurizer = Featurizer(upstream, upstream_device="cpu", **selection)
        assert featurizer.output_dim == width
        frames = [len(f) for f in featurizer(wavs, output)]
        assert frames == [round(4000 / 320), round(2500 / 320)]


@pytest.mark.integration
def test_espnet_frontend(hub, checkpoint):
    """``frontend: s3prl`` of ESPnet2, trained one step."""
    frontend = pytest.importorskip("espnet2.asr.frontend.s3prl").S3prlFrontend(
        frontend_conf=dict(upstream="uniwav_local", path_or_url=str(checkpoint)),
        multilayer_feature=True,
    )
    speech, lengths = make_speech([4000, 2500])
    features, feature_lengths = frontend(speech, lengths)
    assert features.shape == (2, 13, frontend.output_size())
    assert feature_lengths.tolist() == [13, 8]
    features.square().sum().backward()
    for name, parameter in frontend.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name


DOWNSTREAM = dict(
    runner=dict(
        total_steps=2,
        gradient_clipping=1,
        gradient_accumulate_steps=1,
        log_step=1,
        eval_step=1000,
        save_step=1,
        max_keep=1,
        eval_dataloaders=["dev"],
    ),
    optimizer=dict(name="Adam", lr=1e-2),
    downstream_expert=dict(
        datarc=dict(num_workers=0, train_batch_size=1, eval_batch_size=4),
        modelrc=dict(input_dim=8),
    ),
)


@pytest.mark.integration
def test_run_downstream(checkpoint, tmp_path):
    """Stock command line: fine-tune, save, load again, evaluate."""
    config, folder = tmp_path / "config.yaml", tmp_path / "exp"
    config.write_text(yaml.safe_dump(DOWNSTREAM))
    command = [sys.executable, "-W", "ignore", "-m", "espnet_uniwav.run", "-m"]
    command += ["s3prl.run_downstream", "-d", "example", "--device", "cpu"]
    train = ["-m", "train", "-f", "-u", "uniwav_local", "-k", str(checkpoint)]
    train += ["-c", str(config), "-p", str(folder)]
    run(*command, *train)
    saved = torch.load(folder / "states-2.ckpt", weights_only=False)
    before, after = weights(uniwav_local(checkpoint)), saved["Upstream"]
    assert not torch.equal(before, torch.cat([v.flatten() for v in after.values()]))
    result = run(*command, "-m", "evaluate", "-e", str(folder))
    assert "Loading Upstream weights from the previous experiment" in result.stdout


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    return result
