"""The script for ESPnet-EZ that doc/pretrain.md shows: pre-train, export, fine-tune."""

import pytest
import torch
import yaml
from factories import DIM, ROOT, TRAINING, write_data

pytest.importorskip("espnetez")
SCRIPT = ROOT / "egs2/mini_speech/ez1/train.py"
LAYERS = dict(num_layers=2, num_heads=2, ffn_dim=32)


@pytest.fixture
def data(tmp_path):
    """Two Kaldi data folders of four recordings each."""
    for name in ("train", "dev"):
        (tmp_path / name).mkdir()
        lengths = [9600 + 320 * i for i in range(4)]
        write_data(tmp_path / name, lengths, text=["A BAD ID"] * 4)
    return tmp_path


def write(path, conf, **changes):
    path.write_text(yaml.safe_dump({**conf, **changes}))
    return str(path)


def test_the_page_shows_the_script():
    text = SCRIPT.read_text()
    assert len(text.splitlines()) < 40
    assert f"```python\n{text}```\n" in (ROOT / "doc/pretrain.md").read_text()


@pytest.mark.integration
def test_pretrain_export_and_finetune(script, data):
    script = script(SCRIPT)
    conf = yaml.safe_load((SCRIPT.parent / "../ssl1/conf/train_tiny.yaml").read_text())
    encoder = dict(embed_dim=DIM, position="rotary", **LAYERS)
    loss = [dict(name="flow_matching", conf=dict(decoder=LAYERS))]
    small = write(
        data / "ssl.yaml",
        conf,
        **{**TRAINING, "num_iters_per_epoch": None},
        encoder_conf=encoder,
        loss=loss,
    )
    script.train("ssl", small, f"{data}/ssl", ["speech"], data)
    script.export_experiment(f"{data}/ssl", f"{data}/checkpoint")
    conf = yaml.safe_load((SCRIPT.parent / "conf/train_asr.yaml").read_text())
    encoder = dict(conf["encoder_conf"], output_size=16, linear_units=16, num_blocks=1)
    small = write(data / "asr.yaml", conf, **TRAINING, encoder_conf=encoder)
    front = {"fs": "16k", "checkpoint": f"{data}/checkpoint"}
    script.train("asr", small, f"{data}/asr", script.WHAT, data, frontend_conf=front)
    trained = torch.load(data / "asr/latest.pth", weights_only=True)
    assert any(name.startswith("frontend.encoder.") for name in trained)
