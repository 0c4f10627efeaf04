"""What a checkpoint can be: one row for each kind.

A row names its class as ``module:Class``, which is imported when such a checkpoint is
loaded.
"""

from __future__ import annotations

from dataclasses import dataclass

# What needs an adapter: model files (.pth) of ESPnet, and tokens other than our phones.
EXPERIMENT = "espnet_uniwav.integrations.espnet.experiment:read_experiment"
TEXT_TOKENIZER = "espnet_uniwav.integrations.espnet.text_tokenizer:build_tokenizer"


@dataclass(frozen=True)
class Kind:
    """A kind of checkpoint.

    Attributes:
        network: Module with its weights, built by ``from_config``; empty: ESPnet's.
        use: Where such a checkpoint is named, for errors that found it elsewhere.
        source: How to make one, for errors that expected it.
        example: Python for the model card, with the name of the checkpoint.
        pipeline_tag: Its task on Hugging Face's hub.
        wrapper: Class with ``from_pretrained`` that holds the network; empty: none.
    """

    network: str
    use: str
    source: str
    example: str
    pipeline_tag: str
    wrapper: str = ""


KINDS = {
    "uniwav": Kind(
        "espnet_uniwav.core.model:UniWav",
        "name it with --checkpoint, or load it with load_checkpoint",
        "`uniwav export` makes one of a pre-training",
        "from espnet_uniwav.core.model import UniWav\n\n"
        'model = UniWav.from_pretrained("{name}")\n'
        "x, lengths = model.features.extract(speech, speech_lengths)\n"
        "states = model.hidden_states(x)",
        "feature-extraction",
    ),
    "synthesiser": Kind(
        "espnet_uniwav.apps.tts.network:SynthesizerNetwork",
        "name it with --model of `uniwav tts`",
        "`uniwav export` makes one of a training by tts_train",
        "from espnet_uniwav import Synthesizer\n\n"
        'synthesizer = Synthesizer.from_pretrained("{name}")\n'
        'speech = synthesizer("Hello.", prompt="me.wav")',
        "text-to-speech",
        wrapper="espnet_uniwav.apps.tts.synthesizer:Synthesizer",
    ),
    "tokenizer": Kind(
        "espnet_uniwav.apps.tokenizer.tokenizer:UniWavTokenizer",
        "load it with UniWavTokenizer.from_pretrained, or name the checkpoint that it "
        "was made of",
        "`uniwav cluster` makes one",
        "from espnet_uniwav.apps.tokenizer import UniWavTokenizer\n\n"
        'tokenizer = UniWavTokenizer.from_pretrained("{name}")\n'
        "codes = tokenizer.encode(speech)",
        "feature-extraction",
    ),
    "vocoder": Kind(
        "espnet_uniwav.apps.vocoder:Vocoder",
        "name it with --vocoder",
        "the vocoder1 recipe and `uniwav export` make one",
        "from espnet_uniwav.apps.vocoder import Vocoder\n\n"
        'vocoder = Vocoder.from_pretrained("{name}")',
        "audio-to-audio",
    ),
    "features": Kind(
        "espnet_uniwav.core.features:NeuralCodec",
        "name it in features_conf: {checkpoint: FOLDER}",
        "`uniwav codec` makes one",
        "from espnet_uniwav.core.features import NeuralCodec\n\n"
        'features = NeuralCodec.from_pretrained("{name}")',
        "feature-extraction",
    ),
    "recogniser": Kind(
        "",
        "name it with --model of `uniwav align`, or load it with "
        "espnet_uniwav.integrations.espnet.ctc_aligner.load_recogniser",
        "`uniwav export --whole` makes one of a training by asr_train",
        "from espnet_uniwav.integrations.espnet.ctc_aligner import "
        "load_recogniser\n\n"
        'recogniser = load_recogniser(None, "{name}")',
        "automatic-speech-recognition",
    ),
}


def check_kind(expected: str, found: str) -> None:
    """Refuse a checkpoint of another kind.

    Raises:
        ValueError: Saying what it is, where to name it, and how to make what is wanted.
    """
    if found != expected:
        raise ValueError(
            f"expected a checkpoint of the kind {expected} ({KINDS[expected].source}), "
            f"found one of the kind {found}: {KINDS[found].use}"
        )
