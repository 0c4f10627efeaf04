"""Pre-training by UniWavSystem: losses of ESPnet2, steps, resuming, packing."""

from __future__ import annotations

import json
import shutil

import espnet3_case as case
import numpy as np
import pytest
import torch
import yaml
from espnet2.tasks.ssl import SSLTask
from espnet3.publication.inference_model import InferenceModel
from factories import make_speech

from espnet_uniwav import load_checkpoint
from espnet_uniwav.core.checkpoint import save_features
from espnet_uniwav.core.features import NeuralCodec
from espnet_uniwav.integrations.espnet.ssl import UniWavSSLModel
from espnet_uniwav.io.audio import read_speech

# ESPnet2's form of the settings of UniWavSystem
ESPNET2 = dict(
    case.MODEL,
    frontend="uniwav",
    encoder="uniwav",
    model="uniwav",
    normalize=None,
    preencoder=None,
    use_preprocessor=False,
    token_list=["<blank>", "<unk>", "<sos/eos>"],
    collate_fn_conf=dict(pad=True, crop_audio=False),
    batch_type="numel",
    batch_bins=case.BINS,
    num_workers=0,
    num_iters_per_epoch=10,
    max_epoch=1,
    optim="adamw",
    optim_conf=dict(lr=1e-3, fused=True, betas=[0.9, 0.98], weight_decay=0.01),
    scheduler="tristagelr",
    scheduler_conf=case.SCHEDULE,
    grad_clip=1.0,
    num_att_plot=0,
    best_model_criterion=[["valid", "loss", "min"]],
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("espnet3")
    case.write_recordings(folder)
    return folder


def train_by_espnet2(folder) -> None:
    (folder / "espnet2.yaml").write_text(yaml.safe_dump(ESPNET2))
    options = ["--config", str(folder / "espnet2.yaml")]
    options += ["--output_dir", str(folder / "exp/espnet2")]
    for split, name in (("train", "train"), ("valid", "dev")):
        data = folder / "data" / name
        options += [f"--{split}_data_path_and_name_and_type"]
        options += [f"{data}/wav.scp,speech,sound"]
        options += [f"--{split}_shape_file", f"{data}/speech_shape"]
    SSLTask.main(cmd=options)


def test_ten_losses_are_those_of_espnet2(folder):
    with pytest.MonkeyPatch.context() as patch:
        expected = case.Recorded(patch)
        train_by_espnet2(folder)
    with pytest.MonkeyPatch.context() as patch:
        found = case.Recorded(patch)
        config = case.write_config(folder, "losses", steps=10, max_epochs=1)
        case.run(config, "collect_stats", "train")
    assert len(found.losses) == 10
    assert found.losses == pytest.approx(expected.losses, rel=1e-5)
    assert found.valid == pytest.approx(expected.valid, rel=1e-5)
    assert found.updates == expected.updates
    weights = expected.model.state_dict()
    for name, value in found.model.state_dict().items():
        torch.testing.assert_close(value, weights[name], msg=name)


def test_one_update_for_every_optimiser_step(folder, monkeypatch):
    """Of two batches, and of the last one of an epoch."""
    recorded = case.Recorded(monkeypatch)
    config = case.write_config(folder, "accumulated", accumulate_grad_batches=2)
    case.run(config, "collect_stats", "train")
    assert recorded.updates == [2, 4, 5, 7, 9, 10]


def test_a_skipped_batch_is_no_step(folder, monkeypatch):
    """ESPnet3 leaves out a batch whose loss is not finite; Lightning steps anyhow."""
    recorded, forward = case.Recorded(monkeypatch), UniWavSSLModel.forward

    def second_fails(model, *args, **kwargs):
        loss, stats, weight = forward(model, *args, **kwargs)
        factor = float("nan") if len(recorded.losses) == 2 else 1.0
        return loss * factor, stats, weight

    monkeypatch.setattr(UniWavSSLModel, "forward", second_fails)
    config = case.write_config(folder, "skipped", max_epochs=1)
    case.run(config, "collect_stats", "train")
    assert recorded.updates == [1, 3, 4, 5]


def train_until(folder, name: str, step: int) -> case.Recorded:
    """Two epochs of five batches, or what there is of them before a step."""

    class Killed(Exception): ...

    def kill(model, inputs):
        if model.training and len(recorded.losses) == step:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        recorded = case.Recorded(patch, seed=False)
        hook = torch.nn.modules.module.register_module_forward_pre_hook(kill)
        try:
            config = case.write_config(folder, name)
            case.run(config, "collect_stats", "train")
        except Killed:
            pass
        finally:
            hook.remove()
    return recorded


def test_resumed_equals_never_stopped(folder):
    """Killed in the second epoch; the losses, and all that a checkpoint holds."""
    whole = train_until(folder, "whole", step=11)
    killed = train_until(folder, "resumed", step=7)
    resumed = train_until(folder, "resumed", step=11)
    assert len(whole.losses) == 10 and len(killed.losses) == 7
    assert killed.losses == whole.losses[:7]
    assert resumed.losses == whole.losses[5:]
    assert killed.valid + resumed.valid == whole.valid
    weights = whole.model.state_dict()
    for name, value in resumed.model.state_dict().items():
        assert torch.equal(value, weights[name]), name


@pytest.fixture(scope="module")
def packed(folder):
    """A training that is exported, measured and packed; its states are computed."""
    config = case.write_config(folder, "packed", max_epochs=1)
    others = {}
    for role in ("inference", "metrics", "publication"):
        others[role] = folder / f"{role}.yaml"
        others[role].write_text(yaml.safe_dump(dict(recipe_dir=str(folder))))
    data = dict(
        name="dev",
        data_src="espnet_uniwav.integrations.espnet3.dataset",
        data_src_args=dict(wav_scp=str(folder / "data/dev/wav.scp"), names=True),
    )
    content = dict(recipe_dir=str(folder), dataset=dict(test=[data]))
    others["inference"].write_text(yaml.safe_dump(content))
    stages = "collect_stats train export infer measure pack_model".split()
    case.run(config, *stages, **others)
    return folder / "exp/packed"


def test_a_packed_model_gives_the_states_of_its_checkpoint(folder, packed, tmp_path):
    """Also when it has moved, and its experiment is gone."""
    model = load_checkpoint(packed / "checkpoint")
    pack = shutil.copytree(packed / "model_pack", tmp_path / "pack")
    for path in pack.rglob("*"):
        assert path.suffix not in (".ckpt", ".pth", ".log"), path
    with pytest.raises(ValueError, match="trust_user_code"):
        InferenceModel.from_packed(pack)
    loaded = InferenceModel.from_packed(pack, trust_user_code=True, device="cpu")
    speech = read_speech(folder / "data/dev/00.wav", 16000)
    found = loaded(speech)["states"]
    x, _ = model.features.extract(torch.tensor(speech)[None], torch.tensor([6400]))
    expected = torch.cat(model.hidden_states(x)).detach().numpy()
    assert np.array_equal(found, expected)
    (batched,) = loaded.forward_batch([(16000, speech)])
    assert np.array_equal(batched["states"], expected)
    line = (packed / "inference/dev/states.scp").read_text().splitlines()[0]
    name, path = line.split()
    assert name == "utt00" and np.array_equal(np.load(path), expected)


def test_measured_are_the_losses_of_the_validation_set(folder, packed):
    found = json.loads((packed / "inference/metrics.json").read_text())
    rows = (folder / "packed/lightning_logs/version_0/metrics.csv").read_text()
    header, *rows = (row.split(",") for row in rows.splitlines())
    (logged,) = [
        row[header.index("valid/loss")]
        for row in rows
        if row[header.index("valid/loss")]
    ]
    assert found["UniWav"]["valid"]["loss"] == pytest.approx(float(logged), rel=1e-6)
    assert "accuracy" in found["UniWav"]["valid"]
    assert (packed / "model_pack/metrics.json").is_file()


def test_a_checkpoint_needs_no_codec_folder(folder):
    architecture = dict(
        sampling_rate=16000, hidden_dim=8, encdec_n_filters=4, encdec_lstm=1
    )
    codec = NeuralCodec(codec="espnet", architecture=architecture, checksum="ours")
    codec.has_weights = True
    save_features(codec, folder / "codec", {})
    features = dict(checkpoint=str(folder / "codec"))
    frontend = dict(fs=16000, features="neural_codec", features_conf=features)
    settings = dict(frontend_conf=frontend, steps=1, max_epochs=1)
    config = case.write_config(folder, "on_codec", **settings)
    case.run(config, "collect_stats", "train", "export")
    shutil.rmtree(folder / "codec")
    found = load_checkpoint(folder / "exp/on_codec/checkpoint").features
    speech, lengths = make_speech([9600])
    x, _ = found.extract(speech, lengths)
    assert torch.equal(x, codec.extract(speech, lengths)[0])


@pytest.mark.parametrize(
    "setting",
    [dict(precision="bf16-true"), dict(strategy="deepspeed_stage_2")],
)
def test_what_trains_wrongly_is_refused(folder, setting):
    config = case.write_config(folder, "refused", **setting)
    ((name, value),) = setting.items()
    with pytest.raises(ValueError, match=f"trainer.{name}: {value}"):
        case.run(config, "train")
