"""Weights that the codec recipe starts from (egs2/mini_speech/codec1/local)."""

import pytest
import torch
from factories import ROOT

from espnet_uniwav.io.config import show

pytest.importorskip("espnet2")

RECIPE = "mini_speech/codec1"
START = f"{RECIPE}/local/start.py"


def make_generator():
    from espnet2.gan_codec.soundstream.soundstream import SoundStreamGenerator

    torch.manual_seed(0)
    sizes = dict(hidden_dim=16, encdec_n_filters=4, encdec_lstm=1, encdec_norm="none")
    codes = dict(quantizer_n_q=4, quantizer_bins=32, quantizer_target_bandwidth=[1.0])
    return SoundStreamGenerator(16000, **sizes, **codes)


def quantisation_error(generator) -> float:
    """Of the latents of noise, relative to their variance, after k-means."""
    with torch.no_grad():
        latents = generator.encoder(0.1 * torch.randn(2, 1, 32000))
        quantised = generator.quantizer(latents, generator.frame_rate, 1.0)[0]
    return float((latents - quantised).square().mean() / latents.var())


def test_codes_code_the_latents_from_the_start(script):
    assert quantisation_error(make_generator()) > 0.7
    generator = make_generator()
    script(START).start(generator)
    assert quantisation_error(generator) < 0.5


@pytest.mark.parametrize("conf", ["codec_tiny.yaml", "codec.yaml"])
def test_configurations_build_and_start(run_script, conf, tmp_path):
    out, resolved = tmp_path / "start.pth", tmp_path / conf
    resolved.write_text(show(ROOT / "egs2" / RECIPE / "conf" / conf))
    run_script(START, resolved, out)
    weights = torch.load(out, weights_only=True)
    stage = "codec.generator.quantizer.vq.layers.0.project_"
    product = weights[stage + "out.weight"] @ weights[stage + "in.weight"]
    torch.testing.assert_close(product, torch.eye(len(product)), atol=1e-5, rtol=0)


def test_trainable_projections_are_refused(run_script, tmp_path):
    conf = tmp_path / "mine.yaml"
    conf.write_text("codec: encodec\n")
    with pytest.raises(SystemExit, match=r"mine.yaml: expected freeze_param"):
        run_script(START, conf, tmp_path / "o.pth")
