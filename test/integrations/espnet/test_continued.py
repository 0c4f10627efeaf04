"""Continued pre-training: ``model_conf: {checkpoint: ...}`` of the SSL task."""

import pytest
import torch
import yaml
from espnet2.tasks.ssl import SSLTask
from espnet_case import DINOSR, FLOW_MATCHING, make_args
from factories import make_speech, train_steps

from espnet_uniwav.integrations.espnet.experiment import export_experiment


@pytest.fixture
def speech():
    """Long enough for the decoder's preconditioning: more frames than bands."""
    return make_speech([24000, 20000])


def build(folder, **overrides):
    return SSLTask.build_model(make_args(folder, **overrides)).train()


@pytest.fixture
def trained(tmp_path, speech):
    """A model after two steps, and its checkpoint."""
    return make_trained(tmp_path, speech)


def make_trained(folder, speech, **overrides):
    args = make_args(folder, **overrides)
    model = SSLTask.build_model(args).train()
    train_steps(lambda i: model(*speech)[0], model.parameters(), 2, 1e-2)
    exp = folder / "exp"
    exp.mkdir()
    (exp / "config.yaml").write_text(yaml.safe_dump(vars(args)))
    torch.save(model.state_dict(), exp / "latest.pth")
    export_experiment(exp, folder / "checkpoint")
    return model, folder / "checkpoint"


def test_everything_exported_is_taken_over(tmp_path, trained):
    model, checkpoint = trained
    torch.manual_seed(7)
    other = build(tmp_path, model_conf=dict(checkpoint=str(checkpoint)))
    theirs = dict(model.named_parameters())
    for name, own in other.named_parameters():
        if "teacher" not in name and "heads" not in name:
            assert torch.equal(own, theirs[name]), name
    assert other.losses[1].objective.decoder.precondition.num_frames > 0


def test_the_teacher_starts_as_the_student_and_codebooks_from_data(
    tmp_path, trained, speech
):
    other = build(tmp_path, model_conf=dict(checkpoint=str(trained[1])))
    objective = other.losses[0].objective
    student = other.encoder.encoder.transformer.state_dict()
    for name, tensor in objective.teacher.network.state_dict().items():
        assert torch.equal(tensor, student[name]), name
    assert objective.codebooks.num_updates == 0
    loss, _, _ = other(speech=speech[0], speech_lengths=speech[1])
    assert loss.isfinite()


def test_a_checkpoint_without_decoder_leaves_it_untrained(tmp_path, speech):
    (tmp_path / "one").mkdir()
    _, checkpoint = make_trained(tmp_path / "one", speech, loss=[DINOSR])
    conf = dict(checkpoint=str(checkpoint))
    torch.manual_seed(7)
    other = build(tmp_path, model_conf=conf, loss=[DINOSR, FLOW_MATCHING])
    assert other.losses[1].objective.decoder.precondition.num_frames == 0


def test_another_architecture_is_refused(tmp_path, trained):
    encoder = dict(num_layers=3, embed_dim=48, num_heads=4, ffn_dim=48)
    conf = dict(checkpoint=str(trained[1]))
    with pytest.raises(ValueError, match="(?s)checkpoint.*misshapen: mask_embedding"):
        build(tmp_path, model_conf=conf, encoder_conf=encoder)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        build(tmp_path, model_conf=dict(checkpoint=str(tmp_path / "nowhere")))
