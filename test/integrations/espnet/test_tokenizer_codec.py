"""``codec: uniwav``: the packaged tokenizer in stock codec inference, by its config."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
import soundfile
import torch
import yaml
from factories import command, make_speech

pytest.importorskip("espnet2")
from espnet_uniwav import plugin  # noqa: E402

plugin.register()
from espnet_uniwav.apps.tokenizer.files import read_codes  # noqa: E402
from espnet_uniwav.apps.tokenizer.tokenizer import UniWavTokenizer  # noqa: E402
from espnet_uniwav.apps.vocoder import use_vocoder  # noqa: E402

CONF = Path(__file__).parents[3] / "egs2/mini_speech/token1/conf/codec.yaml"
K, V, HOP = 4, 1024, 640

tokenize = command("tokenize")
detokenize = command("detokenize")


@pytest.fixture(scope="module")
def tokenizer():
    tokenizer = UniWavTokenizer.from_pretrained("tokens")
    use_vocoder(tokenizer.features)
    return tokenizer


@pytest.fixture(scope="module")
def coding():
    from espnet2.bin.gan_codec_inference import AudioCoding

    return AudioCoding(CONF)


def test_properties(coding):
    assert coding.model.meta_info() == {
        "fs": 16000,
        "num_streams": K,
        "frame_shift": HOP,
        "code_size_per_stream": [V] * K,
    }


def test_codes_and_speech_are_the_tokenizers(coding, tokenizer):
    speech, _ = make_speech([9000, 9000])
    codes = tokenizer.encode(speech)
    found = coding(speech)
    assert torch.equal(found["codes"].transpose(0, 1), codes)
    assert torch.equal(found["resyn_audio"][:, 0], tokenizer.decode(codes))
    one = coding(speech[0].numpy())
    assert torch.equal(one["codes"][:, 0], codes[0])
    assert torch.equal(one["resyn_audio"], found["resyn_audio"][0, 0])
    few = coding.decode(found["codes"][:2])["resyn_audio"]
    assert torch.equal(few[:, 0], tokenizer.decode(codes[:, :2]))


def test_tokens_of_a_speech_lm(tokenizer):
    """As in the recipes of ESPnet 202412, by ``--codec_config_path``."""
    module = pytest.importorskip("espnet2.speechlm.tokenizer.codec_tokenizer")
    made = module.CodecTokenizer(
        "ESPnet", 16000, "cpu", dump_audio=True, config_path=str(CONF)
    )
    assert made.n_codebook == K and made.size_codebook == V
    assert made.sample_rate == 16000 and made.subsample == HOP
    speech, _ = make_speech([9000])
    flat, heard = made(speech[None])
    codes = tokenizer.encode(speech)
    shifted = codes[0].T + V * torch.arange(K)
    assert torch.equal(flat[0].long(), shifted.flatten())
    assert torch.equal(heard, tokenizer.decode(codes))


def test_audio_of_a_speech_lm(tokenizer, tmp_path, monkeypatch):
    """As in ESPnet 202611, by a packed codec."""
    kernel = "liger_kernel.ops.fused_linear_cross_entropy"  # of the model's loss
    for end in (12, 16, None):
        monkeypatch.setitem(sys.modules, kernel[:end], MagicMock())
    module = pytest.importorskip("espnet2.speechlm.model.speechlm.multimodal_io.audio")
    from espnet2.bin.pack import main as pack

    shutil.copy(CONF, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))  # the zoo's cache
    pack(["codec", "--train_config", CONF.name, "--outpath", "codec.zip"])
    audio = module.DiscreteAudioIO("ESPnet", "codec.zip")
    speech, _ = make_speech([15 * HOP])
    length = torch.tensor([15 * HOP])
    codes = tokenizer.encode(speech)
    tokens = audio.encode_batch(speech[..., None], length)
    shifted = codes[0].T + 1 + (V + 1) * torch.arange(K)
    assert torch.equal(tokens[0], shifted)
    heard, lengths, rate = audio.decode_batch(tokens, length // HOP)
    assert torch.equal(heard[:, 0], tokenizer.decode(codes))
    assert rate == 16000 and lengths == length


def test_training_is_refused(tmp_path):
    from espnet2.bin.gan_codec_train import main

    speech, _ = make_speech([9000])
    soundfile.write(tmp_path / "a.wav", speech[0].numpy(), 16000)
    (tmp_path / "wav.scp").write_text(f"a {tmp_path}/a.wav\n")
    (tmp_path / "shape").write_text("a 9000\n")
    options = ["--config", str(CONF), "--output_dir", f"{tmp_path}/exp"]
    for split in ("train", "valid"):
        options += [f"--{split}_shape_file", f"{tmp_path}/shape"]
        data = f"{tmp_path}/wav.scp,audio,sound"
        options += [f"--{split}_data_path_and_name_and_type", data]
    with pytest.raises(NotImplementedError, match="ssl_train and .*uniwav_tokenizer"):
        main(options)


@pytest.mark.integration
def test_stock_command_and_ours(tmp_path):
    from espnet2.bin.gan_codec_inference import main

    speech, voice = (make_speech([9000 + 320 * i], seed=i)[0][0] for i in range(2))
    soundfile.write(tmp_path / "a.wav", speech.numpy(), 16000)
    soundfile.write(tmp_path / "voice.wav", voice.numpy(), 16000)
    (tmp_path / "wav.scp").write_text(f"a {tmp_path}/a.wav\n")
    conf = yaml.safe_load(CONF.read_text())
    conf["codec_conf"]["prompt"] = f"{tmp_path}/voice.wav"
    (tmp_path / "conf.yaml").write_text(yaml.safe_dump(conf))
    main(
        ["--output_dir", f"{tmp_path}/stock", "--train_config", f"{tmp_path}/conf.yaml"]
        + ["--data_path_and_name_and_type", f"{tmp_path}/wav.scp,audio,sound"]
        + ["--log_level", "WARNING", "--num_workers", "0"]
    )
    tokenize([f"{tmp_path}/wav.scp", f"{tmp_path}/codes"])
    prompt = ["--prompt", f"{tmp_path}/voice.wav"]
    detokenize([f"{tmp_path}/codes", f"{tmp_path}/ours", *prompt])
    found = np.load((tmp_path / "stock/codec/codec.scp").read_text().split()[1])
    (expected,) = read_codes(tmp_path / "codes").values()
    np.testing.assert_array_equal(found[:, 0], expected)
    found, expected = (
        soundfile.read(folder / "a.wav", dtype="int16")
        for folder in (tmp_path / "stock/wav", tmp_path / "ours")
    )
    # Of equal samples, libsndfile's 16 bits are the floor, and ours the nearest.
    np.testing.assert_allclose(found[0], expected[0], atol=1)
    assert found[1] == expected[1] == 16000
