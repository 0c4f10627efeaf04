"""A wrong type in yaml is an error that names the key and what was expected."""

import inspect

import pytest
from factories import make_model
from typeguard import TypeCheckError

from espnet_uniwav import plugin
from espnet_uniwav.apps.tts.network import SynthesizerNetwork
from espnet_uniwav.core.features import build_features
from espnet_uniwav.core.flow.decoder import FlowDecoder
from espnet_uniwav.core.flow.matching import FlowMatching
from espnet_uniwav.core.ssl.dinosr import DinoSR
from espnet_uniwav.core.ssl.mask import SpanMask
from espnet_uniwav.core.ssl.perturb import Perturb
from espnet_uniwav.integrations.espnet.frontend import UniWavEncoderFrontend
from espnet_uniwav.integrations.espnet.ssl import UniWavEncoder, UniWavSSLModel
from espnet_uniwav.integrations.espnet.ssl_frontend import UniWavFrontend
from espnet_uniwav.integrations.espnet.tokenizer import UniWavTokenizerModel
from espnet_uniwav.integrations.espnet.tts import UniWavTTS
from espnet_uniwav.integrations.espnet.vocoder import UniWavVocoder

REGISTERED = {c for choices in plugin.ESPNET.values() for *_, c in choices}
# Whose arguments are those of a class that checks them.
PASS_ON = {"UniWavEncoder", "UniWavFeatsExtract"}
PARTS = dict.fromkeys(("frontend", "encoder", "losses", "normalize", "preencoder"))


def encoder():
    return make_model().encoder


MISTAKES = {
    "num_layers": (lambda v: UniWavEncoder(80, num_layers=v), "6", "int"),
    "dropout": (lambda v: UniWavEncoder(80, dropout=v), "1e-1", "float"),
    "freeze": (lambda v: UniWavEncoderFrontend(freeze=v), "maybe", "bool"),
    "checkpoint": (lambda v: UniWavEncoderFrontend(checkpoint=v), 3, "str"),
    "features_conf": (lambda v: UniWavFrontend(features_conf=v), [80], "dict"),
    "num_mels": (lambda v: build_features("log_mel", num_mels=v), 80.5, "int"),
    "checksum": (lambda v: build_features("neural_codec", checksum=v), 1, "str"),
    "bf16": (lambda v: UniWavSSLModel(**PARTS, bf16=v), "yes please", "bool"),
    "weight": (lambda v: DinoSR(encoder(), weight=v), "1e-4", "float"),
    "ema_decay": (lambda v: DinoSR(encoder(), ema_decay=v), "0.9", "float"),
    "drop_prob": (lambda v: FlowMatching(encoder(), drop_prob=v), None, "float"),
    "embed_dim": (lambda v: FlowDecoder(12, 8, embed_dim=v), 16.0, "int"),
    "mask_length": (lambda v: SpanMask(mask_length=v), "10", "int"),
    "warp": (lambda v: Perturb(warp=v), "none", "float"),
    "architecture": (lambda v: UniWavTokenizerModel(architecture=v), "tiny", "dict"),
    "num_steps": (lambda v: UniWavTTS(5, 12, num_steps=v), "8", "int"),
    "text_layers": (
        lambda v: SynthesizerNetwork(make_model(), ["a"], text_layers=v),
        "2",
        "int",
    ),
    "fft_sizes": (lambda v: UniWavVocoder({}, fft_sizes=v), 512, "sequence"),
}


@pytest.mark.parametrize("key", MISTAKES)
def test_a_mistake_is_named(key):
    make, value, expected = MISTAKES[key]
    with pytest.raises(TypeCheckError, match=f'argument "{key}".*') as caught:
        make(value)
    assert expected in str(caught.value)


@pytest.mark.parametrize("target", sorted(REGISTERED))
def test_all_that_yaml_names_is_checked(target):
    cls = plugin._load(target)
    if cls.__name__ not in PASS_ON:
        owner = next(base for base in cls.__mro__ if "__init__" in vars(base))
        assert "typeguard" in owner.__init__.__code__.co_names
        assert inspect.signature(cls)  # as ESPnet's --print_config reads it
