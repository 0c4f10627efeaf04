"""Arguments of the stock SSL task: the recipe's own configuration, made tiny."""

from __future__ import annotations

import yaml
from espnet2.tasks.ssl import SSLTask
from factories import ROOT

CONF = ROOT / "egs2/mini_speech/ssl1/conf/train_tiny.yaml"
CODEBOOKS = 2
HUBERT = dict(num_classes=5, final_dim=8)
DINOSR = dict(
    name="dinosr",
    conf=dict(num_codebooks=CODEBOOKS, codebook_size=16, ema_decay=0.9),
)
FLOW_MATCHING = dict(
    name="flow_matching",
    conf=dict(
        weight=0.25,
        decoder=dict(num_layers=2, num_heads=4, ffn_dim=48, position="rotary"),
    ),
)


def with_conf(loss, **conf):
    """The entry of a loss with other arguments."""
    return {**loss, "conf": {**loss["conf"], **conf}}


def make_args(tmp_path, **overrides):
    """Parse them from a configuration file, with overrides of its keys."""
    (tmp_path / "tokens").write_text("<blank>\n<unk>\n<sos/eos>\n")
    conf = yaml.safe_load(CONF.read_text())
    conf["encoder_conf"].update(num_layers=3, embed_dim=32, num_heads=4, ffn_dim=48)
    conf["loss"] = [DINOSR, FLOW_MATCHING]
    conf.update(overrides)
    (tmp_path / "conf.yaml").write_text(yaml.safe_dump(conf))
    options = ["--config", "conf.yaml", "--token_list", "tokens", "--output_dir", "exp"]
    paths = [o if o.startswith("--") else str(tmp_path / o) for o in options]
    return SSLTask.get_parser().parse_args(paths)
