"""``uniwav size``: the parts of the joint model, without its memory."""

import yaml
from factories import make_config

from espnet_uniwav.core.pretraining import Pretraining
from espnet_uniwav.integrations.espnet.experiment import pretraining_config
from espnet_uniwav.integrations.espnet.size import count, size


def make_args(*losses):
    config = make_config()
    features = {k: v for k, v in config["features"].items() if k == "num_mels"}
    return dict(
        frontend_conf=dict(features_conf=features),
        encoder_conf=config["encoder"],
        loss=list(losses),
    )


DINOSR = dict(name="dinosr", conf=dict(num_codebooks=2, weight=2.0))
FLOW_MATCHING = dict(name="flow_matching", conf=dict(decoder=make_config()["decoder"]))
LABELS = dict(name="masked_prediction", conf=dict(num_classes=5))


def test_parameters_are_those_of_the_joint_model():
    args = make_args(DINOSR, FLOW_MATCHING, LABELS)
    model = Pretraining.from_config(pretraining_config(args))
    parts = [
        model.encoder,
        model.flow_matching.decoder,
        model.dinosr.teacher,
        model.dinosr.heads,
    ]
    rows = count(args, seconds=1.0)
    assert [number for _, number, _ in rows] == [
        sum(p.numel() for p in part.parameters()) for part in parts
    ]
    assert all(ops > 0 for *_, ops in rows)


def test_a_configuration_without_our_losses(tmp_path):
    path = tmp_path / "conf.yaml"
    path.write_text(yaml.safe_dump(make_args(LABELS)))
    assert [line.split()[0] for line in size(path).splitlines()] == ["part", "encoder"]
